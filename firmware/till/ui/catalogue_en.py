"""Every text of the terminal in English: a section a string, a text a line (`name text`).

`|` is a line break; {names} are filled in by the caller. Strings and not dictionaries, because a string constant stays
in flash while a dictionary of three hundred would fill the heap.
"""

TEXTS = {
    # What a transaction ended in: the first thing a person reads.
    "outcome": """
approved APPROVED
declined DECLINED
unknown UNKNOWN
refused DECLINED
pending WAITING
""",
    # Response codes (F39): what it is | what to do next. Shown large: 14 half-width columns a line.
    "rc": """
00 Approved
03 Not registered|Call acquirer
13 Invalid amount|Enter it again
25 No such sale|Check voucher
51 Funds too low|Use other card
54 Card expired|Use other card
55 Wrong PIN|Try again
61 Over the limit|Use other card
64 Amounts differ|Check original
65 Used too often|Use other card
68 Timed out|Do not repeat
75 PIN tries used|Call issuer
77 Batch differs|Sign on again
90 Day change|Try later
91 Issuer is down|Try later
92 Line fault|Try later
94 Duplicate|Look up first
96 Host fault|Try later
97 Unit not known|Call acquirer
98 Issuer timeout|Do not repeat
99 PIN format bad|Sign on again
A0 Bad check code|Sign on again
other Not accepted|Call issuer
""",
    # Transactions.
    "type": """
sale Sale
void Void
refund Refund
preauth Pre-auth
preauth_void Pre-auth void
completion Completion
completion_void Void completion
balance Balance
sign_on Sign on
sign_off Sign off
settle Settlement
reversal Reversal
advice Offline upload
echo Line test
""",
    # The line that is always there.
    "status": """
operator Op {operator}
signed_off Op --
online Online
connecting Linking
offline Offline
pending Queue {count}
""",
    # What the keys do, beside their caps.
    "footer": """
ok OK
cancel Cancel
back Back
void Void it
retry Try again
more More
menu Menu
move Move
zeros 00
clear Delete
mode Mode
""",
    # What the screens say.
    "screen": """
idle Enter amount
idle_menu D opens the menu
sign_on_first Sign on first
amount Enter the amount
present Present card or phone
processing Please wait
reading Reading, hold still
online Going online, keep power on
remove_card Remove the card
two_cards Present one card only
pulled_away Card moved, present again
unknown_sale Being reversed|Do not repeat
unknown_refund Do not repeat|Being checked
not_charged Not charged
reversed Sale reversed, not charged
reversing Reversing the last sale
stopped Reversal open, sales stopped
stopped_hint Check the network. Support code {code}
reader_fault Reader fault, recovering
settling Settling, keep power on
settled Settled, totals agree
unbalanced Totals differ, uploading
signing_on Signing on
signed_on Signed on
starting Starting
self_test Self-test
self_test_failed Self-test bad, out of use
unconfirmed Confirm this
not_provisioned No merchant yet
not_provisioned_hint D: activation code. Or let a technician bind it over USB
trust New acquirer?
ticket New merchant?
bound Merchant bound
language Language 语言
menu Menu
manage Manage
login Log in
operator Operator no.
pin Enter the PIN
activation_code Enter the code
wifi_choose Choose Wi-Fi
wifi_scanning Looking for Wi-Fi
wifi_change Change the Wi-Fi?
wifi_password Wi-Fi password
wifi_joining Joining the Wi-Fi
wifi_joined Wi-Fi connected
history Look up
totals X totals
settlement Z settlement
diagnose Diagnose
erase_keys Erase keys
erase_keys_hint It can sell again only when bound to a merchant again
echo_ok Line is good
no_records No records
please_wait Please wait
service Service it?
serviced In service
serviced_hint A computer has it. Restart it to sell
wipe Erase it all?
wiping Erasing, keep power on
wifi_list Wi-Fi *locked
activating Fetching the ticket
date Today's date
date_hint Eight digits: year, month, day
trusts_hint Trusts {digits}
reveal_hint Hold D to see it
""",
    # Menu items.
    "menu": """
sale Sale
void Void
refund Refund
preauth Pre-authorisation
query Look up
settle Settle
sign_on Sign on
print Print
manage Manage
balance Balance
history Transactions
totals X totals
reprint Print again
sign_off Sign off
shift Change of shift
echo Line test
wifi Wi-Fi
language Language 语言
operators Operators
diagnose Diagnose
activate Activation code
bind Bind to merchant
backup Back up
restore Restore
about About this unit
erase_keys Erase keys
""",
    # What stands before a value.
    "label": """
merchant Merchant
mid Merchant ID
acquirer Acquirer
area Area
mcc MCC
serial Serial
tid Terminal ID
stan Voucher
rrn RRN
auth Auth code
batch Batch
amount Amount
card Card
time Time
operator Operator
host Host
name Name
version Version
fingerprint Fingerprint
unit Unit
firmware Firmware
sales Sales
refunds Refunds
voids Voids
count Count
net Net
wifi Wi-Fi
address Address
result Result
support Support code
unsettled Unsettled
""",
    # Errors, by the key that core/errors.py carries: what it is | what to do.
    "error": """
internal Internal error|Restart it
cancelled Cancelled
invalid_value Not valid|Enter it again
crypto Security check failed|Call support
keys_exhausted Keys used up|Call acquirer
storage Storage fault|Call support
journal_full Journal full|Settle first
tampered Data altered, out of use|Call support
reader Reader fault, recovering
card_other Card not usable here|Use other card
card_removed Card moved, present again
card_collision Present one card only
card_retry Reading failed|Try same card
card_declined Card declined|Use other card
card_blocked Card blocked|Use other card
card_expired Card expired|Use other card
card_limit Over the card's limit|Use other card
card_see_phone See the phone|Present again
link Acquirer not reached|Check the network
answer Answer not verified|Do not repeat
ticket Ticket not for this unit
refused Refused by the acquirer
not_provisioned No merchant yet
not_signed_on Sign on first
clock Clock is wrong|Sign on again
pending_reversals Reversal open, sales stopped
pin_wrong Wrong PIN|Try again
pin_locked PIN locked|Try later
pin_expired PIN expired|Change it
role Not allowed|Ask supervisor
limit Over the limit
busy Still busy|Please wait
not_found No such sale|Check voucher
already_voided Already voided
unsettled Sales not settled|Settle first
activation_code Wrong code|Enter it again
settling Settlement not finished|Settle first
wifi Not on the Wi-Fi
activation_refused Code not valid|Ask for a new one
activation_wait Too many tries|Try later
activation_bound Unit has another ID|Call acquirer
activation_taken Terminal ID is in use|Call acquirer
activation No ticket was given|Call acquirer
no_trust No acquirer trusted|Connect a computer
ticket_expired Ticket has expired|Ask for a new one
ticket_old Ticket is not newer|Ask for a new one
newer Data of a newer firmware|Update it
""",
    # Why the acquirer was not reached, or its answer not taken.
    "reason": """
no_wifi No Wi-Fi
connecting Joining the Wi-Fi
wifi_password Wrong Wi-Fi password
wifi_not_found Wi-Fi not found
wifi_refused Wi-Fi refused
wifi_weak Wi-Fi too weak
wifi_silent Wi-Fi does not answer
name_not_found Host name not found
refused Host refused
timeout No answer from host
closed Host hung up
link Network broke off
tls Encryption failed
tls_name Certificate: wrong host name
tls_ca Certificate: not trusted
tls_expired Certificate: expired
tls_not_yet Certificate: not yet valid
truncated Answer cut off
oversized Answer too long
malformed Answer malformed
signature Answer: bad signature
http_status Host reports a fault
power_cut Power was cut
wifi_no_address No network address given
""",
    # What a signed refusal asks for.
    "action": """
sign_on Sign on again
clock Clock is wrong|Sign on again
update Update needed
suspended Unit suspended|Call acquirer
revoked Unit revoked|Call acquirer
call Call acquirer
cloned Copy detected|Call acquirer
""",
    # The languages, each in its own.
    "language": """
zh 中文
en English
""",
    # In place of the above where a line has 16 half-width columns: whole keys.
    "mono": """
status.operator {operator}
status.signed_off --
status.online On
status.connecting Join
status.offline Off
status.pending Q{count}
footer.retry Again
screen.present Tap card/phone
screen.reading Reading: hold
screen.online Do not power off
screen.two_cards One card only
screen.pulled_away Moved: tap again
screen.unknown_sale Auto-reversed|Do not repeat
screen.reversed Reversed:|not charged
screen.reversing Reversing last
screen.stopped Sales stopped: reversal open
screen.stopped_hint Check network Code {code}
screen.reader_fault Reader recovers
screen.settling Settling: do not power off
screen.unbalanced Totals differ: uploading
screen.not_provisioned_hint D: activate|or bind by USB
screen.wifi_password Password
screen.reveal_hint Hold D: show
screen.self_test_failed Self-test bad: out of use
screen.wifi_change Change Wi-Fi?
error.crypto Security fault|Call support
error.tampered Data altered: out of use|Call support
error.reader Reader recovers
error.card_other Wrong card|Use other card
error.card_removed Moved: tap again
error.card_collision One card only
error.card_retry Tap same again
error.card_see_phone Check phone, tap
error.card_limit Over card limit|Use other card
error.link Host not reached|Check network
error.answer Bad answer|Do not repeat
error.ticket Ticket of other unit
error.refused Refused by host
error.pending_reversals Sales stopped: reversal open
error.settling Not yet settled|Settle first
reason.connecting Joining Wi-Fi
reason.wifi_password Wrong password
reason.name_not_found No such host
reason.timeout No host answer
reason.tls TLS failed
reason.tls_name Wrong host name
reason.tls_ca Untrusted host
reason.tls_expired Cert. expired
reason.tls_not_yet Cert. in future
reason.signature Bad signature
reason.http_status Host fault
menu.preauth Pre-auth
menu.history History
menu.reprint Reprint
menu.shift Shift
menu.activate Activate
menu.bind Bind merchant
menu.about About
type.completion_void Void compl.
type.preauth_void Void p-a
type.advice Offline
label.merchant Shop
label.mid MID
label.acquirer Acq
label.tid TID
label.batch Batch
label.auth Auth
label.operator Op
label.fingerprint FP
label.support Code
""",
    # In place of the above where the keys are drawn on the panel, and have no letters.
    "touch": """
screen.idle_menu Menu
screen.not_provisioned Not bound yet
screen.not_provisioned_hint Menu: activation code,|or let it be bound over USB
screen.reveal_hint Hold abc to see it
""",
}
