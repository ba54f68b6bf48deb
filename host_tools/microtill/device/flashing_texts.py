"""What `microtill flash` says, in Chinese and English."""

from microtill.device.texts import add

add(
    {
        "flash.looking": ("查看", "looking"),
        "flash.consent": ("请在终端键盘上确认", "confirm at the terminal's keypad"),
        "flash.comparing": ("比较", "comparing"),
        "flash.copying": ("复制", "copying"),
        "flash.checking": ("校验", "checking"),
        "flash.restarting": ("重启", "restarting"),
        "flash.waiting": ("已断开，等待重新插上", "unplugged: waiting for it to come back"),
        "flash.trusting": (
            "请核对指纹 {fingerprint}，并在终端上确认",
            "compare {fingerprint}, then confirm at the terminal",
        ),
        "flash.same": ("{count} 个文件均已是最新", "all {count} files are up to date"),
        "flash.done": (
            "写入 {written} 个文件（{kilobytes} KB），删除 {removed} 个，{unchanged} 个未变",
            "{written} files written ({kilobytes} KB), {removed} removed, {unchanged} unchanged",
        ),
        "flash.would": (
            "将写入 {written} 个文件（{kilobytes} KB），删除 {removed} 个，{unchanged} 个不变",
            "would write {written} files ({kilobytes} KB), remove {removed}, leave {unchanged}",
        ),
        "flash.would_by_word": (
            "终端报告固件 {version}（{hash}）；要比较文件，须有人在键盘上确认",
            "the terminal reports firmware {version} ({hash}); to compare its files a person must agree at its keypad",
        ),
        "flash.answers": (
            "终端应答：固件 {version}，自检 {selftest}",
            "it answers: firmware {version}, self-test {selftest}",
        ),
        "flash.fingerprint": ("已接受信任文件，指纹 {fingerprint}", "trust accepted, fingerprint {fingerprint}"),
        "flash.foreign": (
            "板上有不属于 microtill 的文件，未改动：{files}",
            "files on the board that are not microtill's were left alone: {files}",
        ),
        "flash.took": ("{seconds} 秒", "{seconds} s"),
        "help.flash": (
            "把固件装到一台或多台终端上：只复制有变化的文件，逐个校验，重启并检查应答",
            "Put the firmware on one or more terminals: copy what changed, check it by hash, restart, see it answer.",
        ),
        "option.ports": ("端口、序列号或终端号；可重复", "a port, a unit's serial or a terminal ID; may be repeated"),
        "option.jobs": ("同时处理几台", "how many at once"),
        "option.board": (
            "板型（boards/ 下的文件夹）；通常能自动识别",
            "folder under boards/; it is usually recognised",
        ),
        "option.trust": ("把收单行的信任文件交给空白终端", "give a blank terminal this trust object of the acquirer's"),
        "option.force_unsettled": (
            "尽管有未结算的交易也烧录；须逐字写：{words}",
            "flash in spite of unsettled sales; the words must be: {words}",
        ),
        "option.wait": ("断开后等待重新插上的秒数", "seconds to wait for a board that was unplugged"),
        "error.cannot_read": ("无法读取 {path}：{detail}|检查文件名", "cannot read {path}: {detail}|check its name"),
        "error.unsettled": (
            '终端有未上送或未结算的交易（{what}）|先在终端上结算；若确实要现在烧录，加 --force-unsettled "{words}"',
            "the terminal has sales that are unsent or not settled ({what})|settle at the terminal first; to flash it "
            'all the same, add --force-unsettled "{words}"',
        ),
        "error.words": (
            "--force-unsettled 的内容不对|请逐字写：{words}",
            "the words of --force-unsettled are others|write exactly: {words}",
        ),
        "error.other_board": (
            "这是 {found}，不是 {wanted}|去掉 --board，或换一块板",
            "this is a {found} and no {wanted}|leave --board out, or take another board",
        ),
        "error.unknown_board": (
            "没有名为 {board} 的板型|可用的有：{known}",
            "there is no board {board}|there are: {known}",
        ),
        "error.which_board": (
            "看不出这是哪种板（{found}）|用 --board 指定：{known}",
            "it cannot be seen which board this is ({found})|say it with --board: {known}",
        ),
        "error.other_table": (
            "这块板的闪存分区与 {board} 不同（{found}）|"
            "用 `microtill flash --chip 固件.bin` 写入我们的分区表；板上内容会丢失",
            "the flash of this board is not divided as a {board}'s ({found})|`microtill flash --chip FIRMWARE.bin` "
            "writes our partition table; what is on the board is lost",
        ),
        "error.no_psram": (
            "{board} 需要 PSRAM，而这块板只有 {kilobytes} KB 内存可用|"
            "检查模块型号和所用的 MicroPython（需 SPIRAM_OCT 版）",
            "a {board} needs PSRAM, and this board has {kilobytes} KB of heap|check the module, and that its "
            "MicroPython is the build for its PSRAM",
        ),
        "error.architecture": (
            "这块板的 MicroPython 所用的代码种类这里编译不了：{detail}|换用 MicroPython 1.29",
            "the MicroPython on this board takes code that is not made here: {detail}|put MicroPython 1.29 there",
        ),
        "error.compile": (
            "固件编译失败：{detail}|检查源码和磁盘空间",
            "the firmware does not compile: {detail}|look at the sources, and at the disk's free space",
        ),
        "error.laptop_disk": (
            "本机无法写临时文件：{detail}|清理磁盘空间后重试；终端没有改动",
            "this computer cannot write its temporary files: {detail}|free some space and try again; "
            "the terminal was not changed",
        ),
        "error.no_room": (
            "板上空间不够：还差 {missing} KB（剩余 {free} KB）|删除板上这些不属于 microtill 的文件：{foreign}",
            "the board's file system is {missing} KB too small ({free} KB are free)|remove what is not microtill's "
            "from it: {foreign}",
        ),
        "error.copy": (
            "{path} 写入后读回不一致|再做一次；若重复出现，请换线或换板",
            "{path} does not read back as it was written|do it again; if it happens again, change the cable or the "
            "board",
        ),
        "error.does_not_start": (
            "新固件没有启动：{detail}|再做一次；若重复出现，请把完整输出交给支持人员",
            "the new firmware does not start: {detail}|do it again; if it happens again, send support the whole output",
        ),
        "error.other_version": (
            "终端报告的版本是 {found}，应为 {wanted}|再做一次",
            "the terminal reports version {found} and should be {wanted}|do it again",
        ),
        "error.selftest": (
            "终端自检不通过：{detail}|再做一次；若重复出现，请换板",
            "the terminal's self-test fails: {detail}|do it again; if it happens again, change the board",
        ),
        "error.fault": (
            "终端启动时出错：{detail}|按屏幕上的说明处理",
            "the terminal could not start up: {detail}|do what its screen says",
        ),
        "error.other_unit": (
            "插回来的是另一台（{found}）|插回原来那台（{wanted}），再执行同一命令",
            "another unit was plugged in ({found})|plug {wanted} in again and repeat the command",
        ),
        "error.trust_provisioned": (
            "该终端已属于商户，不能再换信任文件|先用 `microtill wipe` 清除",
            "this terminal is a merchant's: its trust cannot be changed|`microtill wipe` makes it blank first",
        ),
    }
)
