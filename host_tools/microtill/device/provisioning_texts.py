"""What the provisioning commands say, in Chinese and English."""

from microtill.device.texts import add

_SIGN_IN = ("先登录：`microtill login`", "sign in: `microtill login`")
_ADMIN = ("请收单行管理员处理", "ask an administrator of the acquirer")


def _told(zh: str, en: str, step: tuple[str, str]) -> tuple[str, str]:
    return f"{zh}|{step[0]}", f"{en}|{step[1]}"


# What the acquirer's own codes mean to the technician; {detail} is what it says itself.
ACQUIRER: dict[str, tuple[str, str]] = {
    "error.acquirer.sign_in_failed": (
        "用户名、密码或验证码不对|重新输入；验证码每 30 秒一换，用过的不能再用",
        "wrong name, password or code|try again; a code is good for 30 seconds, and once",
    ),
    "error.acquirer.too_many_attempts": (
        "尝试过多|{seconds} 秒后再试",
        "too many attempts|try again in {seconds} s",
    ),
    "error.acquirer.session_unknown": _told("登录无效", "this session is unknown to the acquirer", _SIGN_IN),
    "error.acquirer.session_expired": _told("登录已过期", "the session has expired", _SIGN_IN),
    "error.acquirer.session_revoked": (
        "登录已被收单行吊销|联系收单行；恢复后用 `microtill login` 重新登录",
        "the acquirer has revoked this session|ask the acquirer why; then sign in anew: `microtill login`",
    ),
    "error.acquirer.forbidden": _told("此账号无权这样做", "this account may not do that", _ADMIN),
    "error.acquirer.work_not_yours": (
        "此工单属于他人：{detail}|用 `microtill work` 查看自己的工单",
        "this work item is somebody else's: {detail}|`microtill work` lists yours",
    ),
    "error.acquirer.work_unknown": (
        "没有此工单|用 `microtill work` 查看",
        "there is no such work item for this terminal|`microtill work` lists them",
    ),
    "error.acquirer.work_closed": (
        "此工单已结束：{detail}|用 `microtill work` 查看",
        "this work item is closed: {detail}|`microtill work` lists the open ones",
    ),
    "error.acquirer.mid_unknown": (
        "收单行没有此商户号|逐位核对 15 位商户号",
        "the acquirer has no such merchant ID|compare all its 15 digits",
    ),
    "error.acquirer.tid_unknown": (
        "收单行没有此终端号|核对终端号，或请收单行添加",
        "the acquirer has no such terminal ID|check it, or have the acquirer add it",
    ),
    "error.acquirer.mid_wrong": (
        "该终端号不属于此商户：{detail}|核对商户号和终端号",
        "that terminal ID is another merchant's: {detail}|check merchant ID and terminal ID",
    ),
    "error.acquirer.tid_taken": (
        "该终端号已有另一台机器|核对终端号；若要换机，加 --mode replace",
        "another unit has that terminal ID|check it; to replace that unit, add --mode replace",
    ),
    "error.acquirer.tid_empty": (
        "该终端号还没有机器|不要加 --mode",
        "that terminal ID has no unit yet|leave --mode out",
    ),
    "error.acquirer.serial_bound": (
        "本机已是另一终端：{detail}|核对；若要移机，加 --mode move",
        "this unit is another terminal already: {detail}|check; to move it, add --mode move",
    ),
    "error.acquirer.serial_wrong": (
        "此工单指定了另一台机器：{detail}|换上那一台",
        "the work item is for another unit: {detail}|plug that one in",
    ),
    "error.acquirer.not_settled": (
        "本机原来的终端号还未结算：{detail}|先在终端上结算",
        "what this unit was before is not settled: {detail}|settle on the terminal first",
    ),
    "error.acquirer.in_hand": (
        "另一位技术员正在处理：{detail}|与其商定；五分钟后自动放开",
        "another technician has it in hand: {detail}|agree with them; after five minutes it is free again",
    ),
    "error.acquirer.keyreq_used": (
        "密钥请求已用过|重新运行同一命令",
        "the key request was used before|run the same command again",
    ),
    "error.acquirer.keyreq_invalid": (
        "收单行不接受本机的密钥请求：{detail}|用 `microtill flash` 更新固件再试",
        "the acquirer does not accept this unit's key request: {detail}|bring its firmware up to date: "
        "`microtill flash`",
    ),
    "error.acquirer.key_bound": (
        "本机的密钥属于另一终端号|加 --mode move",
        "this unit's key belongs to another terminal ID|add --mode move",
    ),
    "error.acquirer.merchant_suspended": _told("商户已停用", "the merchant is suspended", _ADMIN),
    "error.acquirer.terminal_revoked": _told("该终端号已吊销", "that terminal ID is revoked", _ADMIN),
    "error.acquirer.terminal_flagged": _told(
        "该终端被怀疑是复制品或旧数据", "that terminal was seen as a copy, or with old data put back", _ADMIN
    ),
}

add(ACQUIRER)
add(
    {
        "error.not_signed_in": _told("尚未登录收单行", "nobody is signed in to the acquirer", _SIGN_IN),
        "error.no_keyring": (
            "这台电脑没有可用的系统钥匙串|加 --shell：登录只在新开的命令行窗口里有效，不写入任何文件",
            "this computer has no keyring that keeps secrets|add --shell: the session then lives in one shell, and in "
            "no file",
        ),
        "error.keyring": (
            "系统钥匙串不可用：{detail}|解锁钥匙串，或加 --shell",
            "the keyring of this computer fails: {detail}|unlock it, or add --shell",
        ),
        "error.no_keyboard": (
            "这里没有人能回答|在终端窗口里运行；密码和验证码只能手工输入",
            "nobody can be asked here|run it in a terminal window: passwords and codes are only typed",
        ),
        "error.no_keyboard_confirm": (
            "这里没有人能确认商户|核对后加 --yes",
            "nobody can confirm the merchant here|check it, and add --yes",
        ),
        "error.no_keyboard_wifi": (
            "这里没有人能输入无线网络|用 --wifi-file 文件",
            "nobody can type the Wi-Fi here|give --wifi-file FILE",
        ),
        "error.url": (
            "{url} 不是收单行地址|应为 https://主机名:端口",
            "{url} is no acquirer's address|it must be https://HOST:PORT",
        ),
        "error.connect": (
            "--connect 应为 主机:端口|例如 127.0.0.1:8443",
            "--connect must be HOST:PORT|for example 127.0.0.1:8443",
        ),
        "error.totp_form": ("验证码是 6 位数字|看验证器重新输入", "a code is 6 digits|read it off the authenticator"),
        "error.cannot_read_ca": (
            "无法读取 {path}：{detail}|检查文件名",
            "cannot read {path}: {detail}|check its name",
        ),
        "error.not_ca": (
            "{path} 不是 PEM 格式的证书|向收单行索取 ca.pem",
            "{path} is no certificate in PEM form|ask the acquirer for its ca.pem",
        ),
        "error.ca_changed": (
            "{path} 与登录时不同|确认是收单行更换的，再用 `microtill login --ca {path}` 登录",
            "{path} is another certificate than when you signed in|make sure that the acquirer has changed it, then "
            "`microtill login --ca {path}`",
        ),
        "error.acquirer_certificate": (
            "{url} 的证书不可信：{detail}|核对地址和 --ca；可能有人冒充，不要继续",
            "the certificate of {url} is not to be trusted: {detail}|check the address and --ca; it may be an "
            "impostor: stop here",
        ),
        "error.mid_form": (
            "商户号应为 15 位数字（现为 {length} 个字符）|核对后重输",
            "a merchant ID is 15 digits (this has {length} characters)|check it",
        ),
        "error.tid_form": (
            "终端号应为 8 位数字或大写字母（现为 {length} 个字符）|核对后重输",
            "a terminal ID is 8 digits or capital letters (this has {length} characters)|check it",
        ),
        "error.mode": ("没有 {mode} 这种方式|可用的有：{known}", "there is no mode {mode}|there are: {known}"),
        "error.which_tid": (
            "不知道绑定哪个终端号|加 --tid 或 --work，用 `microtill work` 查看工单",
            "which terminal shall it be?|add --tid or --work; `microtill work` lists what is to do",
        ),
        "error.tid_and_work": (
            "--tid 与工单不符|只用其中一个",
            "--tid is not the terminal of that work item|give one of them",
        ),
        "error.serial_other": (
            "这台是 {found}，应为 {wanted}|插上 {wanted}，或改工单",
            "this is {found}, and it should be {wanted}|plug {wanted} in, or have the work item changed",
        ),
        "error.unit_board": (
            "不认识这种终端（{board}）|更新这台电脑上的 microtill",
            "this kind of terminal ({board}) is not known here|bring microtill on this computer up to date",
        ),
        "error.unit_fault": (
            "终端有故障：{detail}|按屏幕上的说明处理；用 `microtill doctor` 查找原因",
            "the terminal has a fault: {detail}|do what its screen says; `microtill doctor` looks for the cause",
        ),
        "error.other_trust": (
            "终端信任的是另一收单行（指纹 {found}，应为 {wanted}）|先用 `microtill wipe` 清空",
            "the terminal trusts another acquirer (fingerprint {found}, should be {wanted})|`microtill wipe` it first",
        ),
        "error.trust_fingerprint": (
            "终端收到的信任文件指纹不同（{found}，应为 {wanted}）|停止操作，联系支持人员",
            "the terminal took another trust object ({found}, should be {wanted})|stop here and call support",
        ),
        "error.not_confirmed": (
            "技术员没有确认，终端未改动|核对后重新运行",
            "not confirmed; the terminal is as it was|check, and run it again",
        ),
        "error.ticket_not_taken": (
            "终端重启后不是新绑定（{found}，应为 {wanted}）|重新运行同一命令",
            "after its restart the terminal is not what it should be ({found}, should be {wanted})|run the same "
            "command again",
        ),
        "error.not_proved": (
            "已绑定，但终端没有连通收单行：{reason}|{step}；然后重新运行同一命令",
            "it is bound, but the terminal does not get through to the acquirer: {reason}|{step}; then run the same "
            "command again",
        ),
        "error.not_recorded": (
            "终端已绑定并连通，但结果没能报给收单行：{reason}|重新运行同一命令",
            "the terminal is bound and gets through, but the acquirer could not be told: {reason}|run the same "
            "command again",
        ),
        "error.wifi_name": (
            "无线网络名称应为 1–32 字节|检查名称",
            "the name of a network has 1 to 32 bytes|check it",
        ),
        "error.wifi_password": (
            "网络 {name} 的密码应为 8–63 字节（开放网络留空）|检查密码",
            "the password of {name} must have 8 to 63 bytes (none for an open network)|check it",
        ),
        "error.wifi_twice": ("两个网络同名|只保留一个", "two networks have the same name|keep one of them"),
        "error.wifi_file": (
            '无线网络文件 {path} 不对：{detail}|格式：[[network]]、name = "…"、password = "…"，一至两个',
            'the Wi-Fi file {path} is wrong: {detail}|it has one or two [[network]], each with name = "…" and '
            'password = "…"',
        ),
        "error.wifi_file_open": (
            "别人也能读 {path}|chmod 600 {path}",
            "{path} can be read by others|chmod 600 {path}",
        ),
        "error.batch_rows": (
            "{path} 有 {count} 行不对，没有动任何终端|{step}",
            "{path} has rows that are wrong ({count}); no terminal was touched|{step}",
        ),
        "error.batch_file": ("{path}：{detail}|检查文件", "{path}: {detail}|check the file"),
        "error.results_file": (
            "{path} 不是批量结果文件|用 --results 另选一个",
            "{path} is no file of results|choose another with --results",
        ),
        "error.no_board": (
            "没有接上可用的终端{serial}|插上后重新运行；已完成的行会跳过",
            "no free terminal was plugged in{serial}|plug it in and run it again; rows that are done are skipped",
        ),
        "error.batch_stopped": (
            "批量已停止，此行未做|处理后重新运行",
            "the batch was stopped before this row|settle the cause and run it again",
        ),
        "error.no_such_work": (
            "工单 {work} 不在列表上|用 `microtill work` 查看",
            "there is no work item {work} for you|`microtill work` lists what is to do",
        ),
        "error.trust_file": ("无法读取 {path}：{detail}|检查文件名", "cannot read {path}: {detail}|check its name"),
        "error.cannot_keep": (
            "无法写入结果 {path}：{detail}|腾出磁盘空间，或用 --results 另选；然后重新运行，已做的不会再做",
            "cannot write the results {path}: {detail}|free some space, or choose another file with --results; then "
            "run it again, and what is done is not done twice",
        ),
        "error.cannot_log": (
            "无法写入 {path}：{detail}|腾出磁盘空间，或用 MICROTILL_HOME 换一个文件夹",
            "cannot write {path}: {detail}|free some space, or name another folder with MICROTILL_HOME",
        ),
    }
)

add(
    {
        "provision.looking": ("查看", "looking"),
        "provision.busy": (
            "终端上有人操作或有问题待答：请在键盘上完成",
            "somebody is at the terminal, or it asks something: finish that at its keypad",
        ),
        "provision.trusting": (
            "请核对屏幕上的指纹 {fingerprint}，并在终端上按 #",
            "compare {fingerprint} with the panel, then press # (OK) at the terminal",
        ),
        "provision.networks": ("设置无线网络", "Wi-Fi"),
        "provision.keys": (
            "终端生成密钥和密钥请求",
            "the terminal makes its key pair and a key request",
        ),
        "provision.fetching": ("向收单行取绑定文件", "fetching the ticket from the acquirer"),
        "provision.consent": (
            "请在终端上核对商户和商户号，并按 #",
            "read merchant and decoded MID on the panel, then press # (OK) at the terminal",
        ),
        "provision.restarting": ("终端重启", "the terminal restarts with its ticket"),
        "provision.proving": ("连通测试", "echo test to the acquirer"),
        "provision.recording": ("上报结果", "recording the outcome"),
        "provision.waiting": ("已断开，等待重新插上", "unplugged: waiting for it to come back"),
    }
)

add(
    {
        "help.login": (
            "登录收单行：密码和验证码逐次输入，登录凭据存入系统钥匙串，最长 12 小时",
            "Sign in to the acquirer for 12 hours at most: password and code are typed, the keyring has the token.",
        ),
        "help.logout": ("退出登录", "End the session, here and at the acquirer."),
        "help.work": ("列出待办工单", "List the work that the acquirer has for you."),
        "help.provision": (
            "把终端绑定到商户：核对、信任、无线网络、取绑定文件、键盘确认、连通测试、上报",
            "Bind a terminal to a merchant: check, trust, Wi-Fi, ticket, consent at its keypad, echo test, record.",
        ),
        "help.batch": ("按 CSV 表批量绑定终端", "Provision many terminals from a CSV file. Safe to run again."),
        "help.activate": (
            "取一个激活码，在终端键盘上输入",
            "Get an activation code, to be typed at the terminal's own keypad.",
        ),
        "option.url": (
            "收单行地址，https://主机:端口；缺省用上次的",
            "https://HOST:PORT of the acquirer; else the last one",
        ),
        "option.operator": ("用户名；不写则询问", "your name there; asked for otherwise"),
        "option.ca": (
            "收单行的 CA 证书（PEM）；会记住其指纹",
            "the acquirer's CA (PEM); its fingerprint is remembered",
        ),
        "option.connect": (
            "改连 主机:端口，证书仍按地址核对",
            "connect to HOST:PORT instead; the certificate must still be the URL's",
        ),
        "option.shell": (
            "不用钥匙串：登录只在新开的命令行里有效",
            "without a keyring: open a shell in which the session lives",
        ),
        "option.tid": ("终端号，8 位", "terminal ID, 8 characters"),
        "option.mid": ("商户号，15 位；与收单行核对", "merchant ID, 15 digits; compared with the acquirer's"),
        "option.work": ("工单号", "number of the work item"),
        "option.serial": ("终端序列号", "the unit's serial"),
        "option.mode": ("方式：{known}；通常不用写", "one of {known}; usually left out"),
        "option.wifi_file": ("无线网络文件（TOML，权限 0600）", "file with one or two networks (TOML, mode 0600)"),
        "option.ask_wifi": ("重新输入无线网络", "type the Wi-Fi anew, also where there is one"),
        "option.trust_file": (
            "给空白终端的信任文件；缺省从收单行取",
            "trust object for a blank unit; else the acquirer's",
        ),
        "option.yes": ("不再询问商户是否正确", "do not ask whether the merchant is right"),
        "login.name": ("用户名", "Name"),
        "login.password": ("密码", "Password"),
        "login.totp": ("验证码", "Code of the authenticator"),
        "login.done": ("{name}（{role}）已登录，到 {until}", "{name} ({role}) is signed in until {until}"),
        "login.shell": (
            "{name}（{role}）已登录，到 {until}；只在这个命令行里有效，exit 退出",
            "{name} ({role}) is signed in until {until}, in this shell only; exit ends it",
        ),
        "login.shell_ended": ("已退出登录", "the session has ended"),
        "logout.done": ("{name} 已退出登录", "{name} is signed out"),
        "logout.not_told": (
            "收单行 {url} 未能告知：其登录到 {until} 为止",
            "the acquirer {url} could not be told: there the session ends at {until}",
        ),
        "work.none": ("没有待办工单", "nothing to do"),
        "work.kind.install": ("安装", "install"),
        "work.kind.replace": ("换机", "replace"),
        "work.kind.move": ("移机", "move"),
        "work.column.work": ("工单", "Work"),
        "work.column.kind": ("类型", "Kind"),
        "work.column.tid": ("终端号", "Terminal"),
        "work.column.merchant": ("商户", "Merchant"),
        "work.column.mid": ("商户号", "Merchant ID"),
        "work.column.category": ("行业", "Category"),
        "work.column.serial": ("序列号", "Serial"),
        "work.column.note": ("备注", "Note"),
        "work.column.created": ("创建", "Created"),
        "activate.for": (
            "{serial} 绑定为 {tid}（{merchant}）的激活码：",
            "Activation code of {serial} for {tid}, {merchant}:",
        ),
        "activate.until": (
            "有效到 {until}，只能用一次；不再显示。终端上：菜单 → 激活",
            "good until {until}, once, and not shown again. At the terminal: menu, activate",
        ),
        "activate.would": (
            "将为 {serial} 取 {tid}（{merchant}）的激活码",
            "would ask for an activation code of {serial} for {tid}, {merchant}",
        ),
        "provision.row.merchant": ("商户", "merchant"),
        "provision.row.mid": ("商户号", "merchant ID"),
        "provision.row.acquirer": ("  收单机构", "  acquirer"),
        "provision.row.area": ("  地区", "  area"),
        "provision.row.mcc": ("  行业 MCC", "  category"),
        "provision.row.number": ("  序号", "  number"),
        "provision.row.tid": ("终端号", "terminal ID"),
        "provision.row.unit": ("本机", "this unit"),
        "provision.row.mode": ("方式", "mode"),
        "provision.row.fingerprint": ("信任指纹", "trust fingerprint"),
        "provision.state.blank": ("空白", "blank"),
        "provision.state.trusted": ("待绑定", "no merchant yet"),
        "provision.state.provisioned": ("已绑定", "a merchant's already"),
        "provision.mcc_unknown": ("（表中没有此行业代码）", "(not in the table of categories)"),
        "provision.confirm": ("商户是否正确？", "Is this the merchant?"),
        "provision.which_work": ("哪一个工单？", "Which work item?"),
        "provision.wifi_name": ("无线网络名称", "Wi-Fi network"),
        "provision.wifi_second": ("第二个网络（没有则回车）", "second network (Enter: none)"),
        "provision.wifi_password": ("{name} 的密码（不显示）", "password of {name} (not shown)"),
        "provision.would": (
            "将把 {serial} 绑定为 {tid}（{merchant}）",
            "would make {serial} the terminal {tid} of {merchant}",
        ),
        "provision.done": ("{serial} 是 {tid}，{merchant}（{mid}）", "{serial} is {tid}, {merchant} ({mid})"),
        "provision.already": ("原已绑定", "it was already"),
        "provision.echo": ("连通测试 {ms} 毫秒，绑定第 {version} 版", "echo test {ms} ms, ticket {version}"),
        "provision.took": ("{seconds} 秒", "{seconds} s"),
    }
)

add(
    {
        "error.batch_head": (
            "{path} 的表头不对（{found}）|可用的列：{known}；tid 和 mid 必须有",
            "{path} has other columns ({found})|there are: {known}; tid and mid must be there",
        ),
        "error.batch_cells": (
            "有 {found} 列，应为 {wanted} 列|检查该行",
            "{found} cells instead of {wanted}|mend the row",
        ),
        "error.batch_twice": (
            "{name} 与第 {line} 行重复|删去一行",
            "the same {name} as in line {line}|remove one of them",
        ),
        "error.batch_serial": ("序列号不对|核对序列号", "that is no serial|check it"),
        "provision.acquirer_away": ("收单行没有应答，稍后再试", "the acquirer does not answer: trying again"),
        "batch.utf8": ("不是 UTF-8", "it is not UTF-8"),
        "batch.too_long": ("太长", "it is too long"),
        "batch.empty": ("没有内容", "there are no rows"),
        "batch.checking": ("向收单行核对", "checking with the acquirer"),
        "batch.bad": ("{path} 第 {line} 行 {tid}：{what}", "{path}, line {line}, {tid}: {what}"),
        "batch.mend": (
            "改正后重新运行，或加 --skip-bad 跳过",
            "mend them and run it again, or leave them out with --skip-bad",
        ),
        "batch.skipped": ("已完成、跳过：{count} 行", "done by an earlier run and skipped: {count}"),
        "batch.confirm": ("以上 {count} 台是否正确？", "Are these {count} terminals right?"),
        "batch.would": ("第 {line} 行 {tid}（{merchant}）→ {port}", "line {line}, {tid} ({merchant}): {port}"),
        "batch.would_count": (
            "{boards} 台可做，{left} 行缺终端，跳过 {skipped}，有误 {bad}",
            "{boards} could begin, {left} have no board, {skipped} are done, {bad} are wrong",
        ),
        "batch.done": (
            "完成 {good}，失败 {failed}，跳过 {skipped}，有误 {bad}；结果在 {path}",
            "{good} done, {failed} failed, {skipped} skipped, {bad} wrong; results in {path}",
        ),
        "batch.column.line": ("行", "Line"),
        "batch.column.tid": ("终端号", "Terminal"),
        "batch.column.merchant": ("商户", "Merchant"),
        "batch.column.mid": ("商户号", "Merchant ID"),
        "batch.column.category": ("行业", "Category"),
        "batch.column.serial": ("序列号", "Serial"),
        "option.batch_file": (
            "清单：tid、mid，可有 serial、wifi、mode、note",
            "tid and mid; perhaps serial, wifi, mode, note",
        ),
        "option.batch_wifi": ("没有写 wifi 的行用的无线网络文件", "Wi-Fi file of rows that name none"),
        "option.jobs": ("同时处理几台", "how many at once"),
        "option.results": ("结果文件；缺省在清单旁", "file of results; else beside the list"),
        "option.skip_bad": ("跳过有误的行", "leave rows out that are wrong"),
        "option.batch_wait": ("没有空闲终端时等待的秒数", "seconds to wait for boards that are not plugged in yet"),
        "option.patience": ("收单行没有应答时重试的秒数", "seconds to try again while the acquirer does not answer"),
    }
)
