"""What a terminal's own errors and reasons mean to the technician: what it is, and what to do about it.

The terminal's catalogue speaks to the cashier ("Call support"); this one speaks to who was called. Keys are the
terminal's, with `terminal.` before them.
"""

from microtill.device import texts

_WIFI_AGAIN = (
    "在终端上重新设置：按 D，选 9 管理，再选无线网络",
    "set it anew on the terminal: D, 9 Manage, Wi-Fi",
)
_CALL = ("记下此信息并联系收单行", "note this and call the acquirer")
_AGAIN = (
    "稍等再试；若重复出现，查看 `microtill logs`",
    "wait and try again; if it happens again, see `microtill logs`",
)
_SUPPORT = (
    "停用本机，用 `microtill logs` 取日志并联系支持人员",
    "take the unit out of use, read `microtill logs` and call support",
)


def entry(key: str) -> str:
    """The entry for the terminal's `key`; one for what is not known, as a newer terminal may say."""
    return f"terminal.{key}" if f"terminal.{key}" in texts.TEXTS else "terminal.other"


def what(key: str) -> str:
    """What the terminal's `key` means."""
    return texts.what(entry(key), error=key)


def next_step(key: str) -> str:
    """What the technician can do about the terminal's `key`."""
    return texts.next_step(entry(key), error=key)


def _told(zh: str, en: str, step: tuple[str, str]) -> tuple[str, str]:
    return f"{zh}|{step[0]}", f"{en}|{step[1]}"


texts.add(
    {
        "terminal.other": _told("{error}", "{error}", _AGAIN),
        # Refusals
        "terminal.error.internal": _told("终端内部错误", "an error inside the terminal", _AGAIN),
        "terminal.error.cancelled": (
            "有人在键盘上取消，或两分钟内无人确认|请持有终端的人按 # 确认后重做",
            "somebody cancelled at the keypad, or nobody confirmed in two minutes|do it again, and have # (OK) pressed",
        ),
        "terminal.error.invalid_value": (
            "终端不接受此值|检查输入；若终端固件较旧，用 `microtill flash` 更新",
            "the terminal does not accept this value|check it; if the terminal's firmware is old, "
            "`microtill flash` brings it up to date",
        ),
        "terminal.error.crypto": _told("安全校验失败", "a security check failed", _SUPPORT),
        "terminal.error.keys_exhausted": (
            "交易密钥已用尽|重新绑定：`microtill provision`",
            "the transaction keys are used up|`microtill provision` brings new ones",
        ),
        "terminal.error.storage": _told("终端存储故障", "the terminal's storage has a fault", _SUPPORT),
        "terminal.error.journal_full": ("流水已满|先在终端上结算", "the journal is full|settle on the terminal first"),
        "terminal.error.tampered": (
            "终端数据被改动|停用本机，用 `microtill logs` 取日志并联系支持人员；"
            "核实后用 `microtill wipe` 清除并重新绑定，未结算的交易可以保留",
            "data on the terminal were altered|take the unit out of use, read `microtill logs` and call support; once "
            "it is looked into, `microtill wipe` and provision it anew: open sales can be kept",
        ),
        "terminal.error.newer": (
            "终端数据属于更新的固件|用 `microtill flash` 装上较新的固件",
            "the terminal's data are those of a newer firmware|`microtill flash` it with the newer one",
        ),
        "terminal.error.reader": (
            "读卡器没有应答|检查 PN532 的接线和拨码开关，再断电重启",
            "the card reader does not answer|check the PN532's wires and switches, then switch off and on",
        ),
        "terminal.error.link": (
            "终端连不上收单行|检查无线网络和收单行地址",
            "the terminal does not reach the acquirer|check its Wi-Fi and the acquirer's address",
        ),
        "terminal.error.answer": _told("收单行的应答无法核实", "the acquirer's answer does not verify", _CALL),
        "terminal.error.ticket": (
            "绑定文件不属于本机、已过期或已用过|重新运行 `microtill provision` 取新的",
            "the ticket is not for this unit, has expired or was used|`microtill provision` fetches a new one",
        ),
        "terminal.error.refused": _told("收单行拒绝本终端", "the acquirer refuses this terminal", _CALL),
        "terminal.error.not_provisioned": (
            "终端尚未绑定商户|用 `microtill provision` 绑定",
            "the terminal has no merchant yet|`microtill provision` binds it to one",
        ),
        "terminal.error.not_signed_on": ("终端尚未签到|先在终端上签到", "the terminal has not signed on|sign on first"),
        "terminal.error.clock": (
            "终端时钟不准|连上网络并在终端上签到",
            "the terminal's clock is wrong|bring it online and sign on at the terminal",
        ),
        "terminal.error.pending_reversals": (
            "有冲正未完成|让终端联网，等待上送完成",
            "a reversal is open|bring the terminal online and wait until it is acknowledged",
        ),
        "terminal.error.busy": (
            "终端正忙|等终端回到待机画面再试",
            "the terminal is busy|try again when its idle screen shows",
        ),
        "terminal.error.unsettled": (
            "有未上送或未结算的交易|先让终端联网上送，并在终端上结算",
            "sales are unsent or not settled|bring the terminal online, and settle on it first",
        ),
        "terminal.error.settling": (
            "结算尚未完成|等结算完成再试",
            "a settlement is under way|try again when it has finished",
        ),
        "terminal.error.activation_code": (
            "激活码有误|核对后重输，或请收单行另发一个",
            "the activation code is wrong|check it, or have the acquirer issue another",
        ),
        # Why it is offline
        "terminal.reason.no_wifi": _told("没有设置无线网络", "no Wi-Fi is set", _WIFI_AGAIN),
        "terminal.reason.connecting": (
            "正在连接|等半分钟再查",
            "it is connecting|look again in half a minute",
        ),
        "terminal.reason.wifi_password": _told("无线网络密码错误", "the Wi-Fi password is wrong", _WIFI_AGAIN),
        "terminal.reason.wifi_not_found": (
            "找不到设定的无线网络|检查路由器已开、名称无误且为 2.4 GHz，并靠近些",
            "the Wi-Fi that was set is not found|check that the router is on, its name is right and it has 2.4 GHz, "
            "and go nearer",
        ),
        "terminal.reason.wifi_refused": (
            "路由器拒绝连接|查看路由器的 MAC 过滤、设备数上限和加密方式（WPA2）",
            "the router refuses|look at its MAC filter, its limit of devices and its encryption (WPA2)",
        ),
        "terminal.reason.wifi_weak": (
            "无线信号太弱|把终端或路由器移近，避开金属外壳",
            "the Wi-Fi is too weak|bring terminal and router nearer, away from metal",
        ),
        "terminal.reason.wifi_no_address": (
            "路由器没有分配地址|检查路由器的 DHCP 和设备数上限，再重启路由器",
            "the router gives no address|look at its DHCP and its limit of devices, then restart it",
        ),
        "terminal.reason.wifi_silent": (
            "路由器没有应答|把终端移近，重启路由器；若仍然如此，按 D 在 9 管理中重新设置",
            "the router does not answer|go nearer and restart it; if that is not it, set the Wi-Fi anew: D, 9 Manage",
        ),
        "terminal.reason.name_not_found": (
            "查不到收单行的主机名|检查路由器的 DNS 和外网，再核对收单行地址",
            "the acquirer's host name is not found|check the router's DNS and its uplink, then the acquirer's address",
        ),
        "terminal.reason.refused": (
            "收单行主机拒绝连接|核对地址和端口；请收单行检查服务是否在运行",
            "the acquirer's host refuses the connection|check address and port; ask the acquirer whether it is up",
        ),
        "terminal.reason.timeout": (
            "收单行主机没有应答|检查路由器的外网和防火墙，再问收单行",
            "the acquirer's host does not answer|check the router's uplink and firewall, then ask the acquirer",
        ),
        "terminal.reason.closed": _told("收单行主机断开了连接", "the acquirer's host hung up", _AGAIN),
        "terminal.reason.link": _told("网络中断", "the network broke off", _AGAIN),
        "terminal.reason.tls": (
            "加密连接失败|确认路由器没有登录页面或代理，再问收单行",
            "encryption failed|make sure that no portal or proxy stands between, then ask the acquirer",
        ),
        "terminal.reason.tls_name": (
            "证书不是这个主机名的|核对收单行地址；可能有人冒充，不要继续",
            "the certificate is for another host name|check the acquirer's address; it may be an impostor: stop here",
        ),
        "terminal.reason.tls_ca": (
            "证书不由所信任的机构签发|问收单行是否换了机构；可能有人冒充，不要继续",
            "the certificate is not from the trusted authority|ask the acquirer whether it has changed; "
            "it may be an impostor: stop here",
        ),
        "terminal.reason.tls_expired": (
            "证书已过期（或终端时钟偏快）|先核对时钟，再请收单行更新证书",
            "the certificate has expired (or the terminal's clock is ahead)|check the clock, then ask the acquirer to "
            "renew it",
        ),
        "terminal.reason.tls_not_yet": (
            "证书尚未生效（或终端时钟偏慢）|先核对时钟，再问收单行",
            "the certificate is not valid yet (or the terminal's clock is behind)|check the clock, then ask the "
            "acquirer",
        ),
        "terminal.reason.truncated": _told("应答不完整", "the answer was cut off", _AGAIN),
        "terminal.reason.oversized": _told("应答过长", "the answer is too long", _CALL),
        "terminal.reason.malformed": _told("应答格式错误", "the answer is malformed", _CALL),
        "terminal.reason.signature": _told("应答签名错误", "the answer's signature is wrong", _CALL),
        "terminal.reason.http_status": _told("收单行主机报告错误", "the acquirer's host reports a fault", _CALL),
        "terminal.reason.power_cut": ("中途断电|检查电源和 USB 线", "the power was cut|check the supply and the cable"),
        # What a signed refusal asks for
        "terminal.action.sign_on": (
            "收单行要求签到|在终端上签到",
            "the acquirer wants a sign-on|sign on at the terminal",
        ),
        "terminal.action.clock": ("收单行说时钟不准|在终端上签到", "the acquirer says the clock is wrong|sign on"),
        "terminal.action.update": (
            "收单行要求升级固件|用 `microtill flash` 升级",
            "the acquirer wants newer firmware|`microtill flash` brings it",
        ),
        "terminal.action.suspended": _told("收单行已停用本终端", "the acquirer has suspended this terminal", _CALL),
        "terminal.action.revoked": _told("收单行已吊销本终端", "the acquirer has revoked this terminal", _CALL),
        "terminal.action.cloned": (
            "收单行认为本机是复制品，或旧数据被放回|停用本机，联系收单行换发",
            "the acquirer takes this unit for a copy, or for one with old data put back|take it out of use and have "
            "the acquirer replace it",
        ),
        "terminal.action.call": _told("收单行要求联系", "the acquirer wants to be called", _CALL),
        "terminal.rc.other": _told("收单行不接受", "the acquirer does not accept it", _CALL),
    }
)
