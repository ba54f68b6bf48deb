"""What `microtill doctor --hardware` says. `|` divides what was found from what to do next, or panel from laptop."""

from microtill.device import texts

texts.add(
    {
        "check.hw_module": ("模块", "Module"),
        "check.hw_keys": ("键盘", "Keys"),
        "check.hw_panel": ("屏幕", "Panel"),
        "check.hw_sound": ("蜂鸣器", "Buzzer"),
        "check.hw_lights": ("指示灯", "Lights"),
        "check.hw_reader": ("读卡器", "Reader"),
        "check.hw_card": ("刷卡", "Card"),
        "check.hw_wifi": ("无线网络", "Wi-Fi"),
        "check.hw_supply": ("供电", "Supply"),
        "hw.old_firmware": (
            "终端固件不支持硬件检查|用 `microtill flash` 更新固件",
            "this firmware has no check of its hardware|update it with `microtill flash`",
        ),
        "hw.none": ("没有", "none"),
        "hw.flash": ("闪存 {there}", "{there} of flash"),
        "hw.flash_small": (
            "闪存只有 {there}，需要 {wanted}|换用符合要求的模块；"
            "若模块确实是 {wanted}，用对应的固件重写：microtill flash --chip",
            "{there} of flash, {wanted} are wanted|take the module that boards/README.md names; if this one has "
            "{wanted}, "
            "write a program built for that: microtill flash --chip",
        ),
        "hw.psram_there": ("PSRAM {there}", "{there} of PSRAM"),
        "hw.psram": (
            "PSRAM：{there}，需要 {wanted}|换带八线 PSRAM 的模块（型号含 R8）；若型号正确，刷入支持八线 PSRAM 的固件",
            "PSRAM: {there}, {wanted} are wanted|take a module with octal PSRAM (its name has R8 in it); if it has, "
            "the "
            "MicroPython on it is built without: use the SPIRAM_OCT one",
        ),
        "hw.usb_native": ("接在芯片自带的 USB 口", "plugged into the chip's own USB socket"),
        "hw.usb_bridge": (
            "接在串口转换芯片的 USB 口（也能用，烧录较慢）",
            "plugged into the socket of the USB-to-UART bridge (works; flashing is slower)",
        ),
        "hw.usb_only": ("经串口转换芯片连接", "plugged in by its USB-to-UART bridge"),
        "hw.restarted": (
            "检查到这里时终端重启了（{cause}）|换一根线、一个 USB 口再做一次；若仍发生，换板",
            "it restarted in the middle of this ({cause})|take another cable and socket and try again; else change the "
            "board",
        ),
        "hw.cap_clear": ("删除", "Delete"),
        "hw.cap_menu": ("菜单", "Menu"),
        "hw.cap_cancel": ("取消", "Cancel"),
        "hw.cap_ok": ("确认", "OK"),
        "hw.keys_off": ("手离开键盘", "Hands off the keys"),
        "hw.press": (
            "请按 {key}\n({n}/16)|（没有反应就按回车）",
            "Press {key}\n({n}/16)| (Enter if nothing happens)",
        ),
        "hw.keys_good": ("16 个键都对（抖动最多 {worst} ms）", "all 16 keys, in order (bounce {worst} ms at most)"),
        "hw.keys_named": ("16 个键都对", "all 16 keys, in order"),
        "hw.keypad_open": (
            "没有一个键有反应|检查键盘排线是否插好、插在正确的插座上",
            "no key does anything|look at the keypad's cable: is it plugged in, and into the right socket",
        ),
        "hw.rows_swapped": (
            "第 {a} 行和第 {b} 行接反了|对调键盘排线 的第 {a}、{b} 两根行线",
            "rows {a} and {b} are swapped|exchange the two row wires (the {a}. and the {b}., counted from 1)",
        ),
        "hw.columns_swapped": (
            "第 {a} 列和第 {b} 列接反了|对调键盘排线的第 {a}、{b} 两根列线",
            "columns {a} and {b} are swapped|exchange the two column wires (the {a}. and the {b}., counted from 1)",
        ),
        "hw.rows_off": (
            "行线插偏了 {step} 针（{to}）|把行线拔下，移回 {step} 针再插",
            "the row wires are {step} pin(s) off ({to})|unplug them and move them back by {step}",
        ),
        "hw.columns_off": (
            "列线插偏了 {step} 针（{to}）|把列线拔下，移回 {step} 针再插",
            "the column wires are {step} pin(s) off ({to})|unplug them and move them back by {step}",
        ),
        "hw.rows_reversed": (
            "行线顺序整个反了|把四根行线反过来接",
            "the rows are in reverse order|turn the four row wires around",
        ),
        "hw.columns_reversed": (
            "列线顺序整个反了|把四根列线反过来接",
            "the columns are in reverse order|turn the four column wires around",
        ),
        "hw.rows_order": (
            "行线顺序不对：四行依次接到了 {order}|按 1 2 3 4 重新接行线",
            "the rows arrive as {order}|wire them as 1, 2, 3, 4",
        ),
        "hw.columns_order": (
            "列线顺序不对：四列依次接到了 {order}|按 1 2 3 4 重新接列线",
            "the columns arrive as {order}|wire them as 1, 2, 3, 4",
        ),
        "hw.rows_open": ("第 {n} 行断路|检查第 {n} 根行线及其焊点", "row {n} is open|look at its wire and its joints"),
        "hw.columns_open": (
            "第 {n} 列断路|检查第 {n} 根列线及其焊点",
            "column {n} is open|look at its wire and its joints",
        ),
        "hw.rows_joined": (
            "第 {a} 行和第 {b} 行短路|检查这两根行线之间的焊锡",
            "rows {a} and {b} touch each other|look for solder between their wires",
        ),
        "hw.columns_joined": (
            "第 {a} 列和第 {b} 列短路|检查这两根列线之间的焊锡",
            "columns {a} and {b} touch each other|look for solder between their wires",
        ),
        "hw.keypad_turned": (
            "键盘插头转了 180 度（行列颠倒）|把插头转过来再插",
            "the keypad's plug is the wrong way round (rows are where columns should be)|turn the plug around",
        ),
        "hw.keypad_crossed": (
            "行线和列线互换了|对调行、列两组线",
            "rows and columns are exchanged|exchange the two groups of four wires",
        ),
        "hw.key_stuck": (
            "{key} 键一直按下|检查该键下是否卡住或短路；换键盘",
            "key {key} is stuck down|look for dirt or solder under it; else change the keypad",
        ),
        "hw.key_hangs": (
            "{key} 键按下后弹不起来|清洁该键，或换键盘",
            "key {key} stays down after it was pressed|clean it, or change the keypad",
        ),
        "hw.key_bounces": (
            "{key} 键抖动 {ms} ms，超过 20 ms|会重复输入：换键盘",
            "key {key} bounces for {ms} ms, more than the 20 that are borne|it would type twice: change the keypad",
        ),
        "hw.key_dead": ("{key} 键没有反应|检查该键的触点", "key {key} does nothing|look at its contact"),
        "hw.key_other": (
            "按 {key} 键，终端看到的是 {seen}|检查该键的接线",
            "key {key} arrives as {seen}|look at its wires",
        ),
        "hw.touch_good": ("16 个触摸键都对", "all 16 keys on the glass"),
        "hw.touch_dead": (
            "触摸屏没有反应|触摸芯片和屏幕在同一块板上：换板",
            "touching the glass does nothing|the touch chip is on the panel's own board: change that",
        ),
        "hw.touch_off": (
            "这些触摸键不准：{keys}|重新校准：断电，手指按住屏幕再上电，依次点三个十字",
            "these keys on the glass are missed: {keys}|calibrate it: switch off, keep a finger on the glass while "
            "switching on, and touch the three crosses",
        ),
        "hw.red": ("红 RED", "RED"),
        "hw.green": ("绿 GREEN", "GREEN"),
        "hw.blue": ("蓝 BLUE", "BLUE"),
        "hw.picture_1": ("1 正常 2 左右反 3 倒置", "1 right 2 mirror 3 turned"),
        "hw.picture_2": ("4 反色 5 红蓝互换", "4 negative 5 red is blue"),
        "hw.picture_3": ("6 黑框缺边", "6 frame cut or moved"),
        "hw.key_1": ("正常", "right"),
        "hw.key_2": ("左右反", "mirror"),
        "hw.key_3": ("倒置", "turned"),
        "hw.key_4": ("反色", "invert"),
        "hw.key_5": ("红蓝换", "red=blu"),
        "hw.key_6": ("缺边", "cut"),
        "hw.mono_1": ("1 正常", "1 right"),
        "hw.mono_2": ("3 倒置", "3 upside down"),
        "hw.mono_3": ("6 亮框缺边", "6 frame cut"),
        "hw.mono_question": (
            "看屏幕，按键或在此输入：1 正常  3 倒置  6 亮框缺边或移位，或边上有杂点  8 全黑",
            "Look at the panel, and press or type: 1 right  3 upside down  6 the frame is cut or moved, or there are "
            "dots at its side  8 dark",
        ),
        "hw.mono_turned": (
            "画面倒置|把屏幕转 180 度安装",
            "the picture is upside down|mount the panel the other way up",
        ),
        "hw.mono_shifted": (
            "画面移位|控制器多半是 SH1106（132 列），不是 SSD1306：换屏",
            "the picture is shifted|its controller is an SH1106 (132 columns), not an SSD1306: change the panel",
        ),
        "hw.mono_dark": (
            "屏幕全黑，但有应答|屏幕坏了：换屏",
            "the panel answers, but is dark|its glass or its charge pump is broken: change the panel",
        ),
        "hw.picture_question": (
            "看屏幕，按键或在此输入：1 正常  2 左右镜像  3 倒置  4 反色（底是黑的）  5 红蓝互换  6 黑框缺边或移位  "
            "7 有背光但没有画面  8 全黑",
            "Look at the panel, and press or type: 1 right  2 mirrored  3 upside down  4 negative (black ground)  5 "
            "red and "
            "blue exchanged  6 the frame is cut or moved  7 lit, but no picture  8 dark",
        ),
        "hw.picture_now": (
            "现在能看到画面吗？# 能（回车），* 不能（n）",
            "Is there a picture now? # yes (Enter), * no (n)",
        ),
        "hw.picture_good": ("画面正常", "the picture is right"),
        "hw.picture_mirrored": (
            "画面左右镜像|board.py 里 {driver}(…) 加 madctl={madctl}（另一批屏）",
            "the picture is mirrored|give {driver}(…) in board.py madctl={madctl}: the panel is of another lot",
        ),
        "hw.picture_turned": (
            "画面倒置|把屏幕转 180 度安装，或 board.py 里 {driver}(…) 加 madctl={madctl}",
            "the picture is upside down|mount the panel the other way up, or give {driver}(…) in board.py "
            "madctl={madctl}",
        ),
        "hw.picture_negative": (
            "画面反色|board.py 里 {driver}(…) 加 init={init}（另一种初始化表）",
            "the colours are negative|give {driver}(…) in board.py init={init}, the other table",
        ),
        "hw.picture_bgr": (
            "红蓝互换|board.py 里 {driver}(…) 加 madctl={madctl}",
            "red and blue are exchanged|give {driver}(…) in board.py madctl={madctl}",
        ),
        "hw.picture_shifted": (
            "画面移位|数出缺的行列数，board.py 里 {driver}(…) 加 x0= 和 y0=",
            "the picture is shifted|count the columns and rows that are missing, and give {driver}(…) in board.py x0= "
            "and y0=",
        ),
        "hw.panel_swapped": (
            "屏幕的 {a} 和 {b} 接反了|对调：{a} 接 GPIO {gpio_a}，{b} 接 GPIO {gpio_b}",
            "the panel's {a} and {b} are swapped|{a} belongs to GPIO {gpio_a}, {b} to GPIO {gpio_b}",
        ),
        "hw.panel_blank": (
            "有背光但没有画面|检查屏幕的 CS、DC、RST、SCL（SCK）、SDA（MOSI）和 VCC；屏幕不能回读，无法再细分",
            "the panel is lit but blank|look at its CS, DC, RST, SCK, MOSI and supply wires: a panel cannot be read, "
            "so "
            "they cannot be told apart",
        ),
        "hw.panel_dark": (
            "屏幕全黑|检查屏幕的 BLK（背光）、VCC 和 GND，然后是其余各线",
            "the panel is dark|look at its BLK (backlight), VCC and GND wires, then at all others",
        ),
        "hw.panel_silent": (
            "屏幕没有应答，终端因此不能启动|检查屏幕的 VCC、GND，SCL 和 SDA 是否接反；地址须为 0x3C",
            "the panel does not answer, and so the terminal cannot start|look at its supply, and whether SCL and SDA "
            "are exchanged; its address must be 0x3C",
        ),
        "hw.no_answer_given": ("没有人回答|再做一次并回答", "nobody answered|do it again, and answer"),
        "hw.answer_here": (
            "键盘还不对，下面的问题请在电脑上回答",
            "the keys are not right yet: answer what follows at the laptop",
        ),
        "hw.answer_one": ("请回答其中之一：{accepted}", "please answer one of: {accepted}"),
        "hw.listen": (
            "听到声音了吗\n{yes} 是    {no} 否|（回车 / n）",
            "Heard a tone?\n{yes} yes    {no} no| (Enter / n)",
        ),
        "hw.sound_good": ("能听到", "heard"),
        "hw.sound_bad": (
            "没有声音|检查蜂鸣器的三极管和 SIGNAL 线；须用无源蜂鸣器",
            "no sound|look at its transistor and its SIGNAL wire; it must be a passive buzzer",
        ),
        "hw.look_green": (
            "四个灯都绿吗\n{yes} 是    {no} 否|（回车 / n）",
            "4 green lights?\n{yes} yes    {no} no| (Enter / n)",
        ),
        "hw.look_green_one": (
            "灯是绿的吗\n{yes} 是    {no} 否|（回车 / n）",
            "Is it green?\n{yes} yes    {no} no| (Enter / n)",
        ),
        "hw.look_red": (
            "四个灯都红吗\n{yes} 是    {no} 否|（回车 / n）",
            "4 red lights?\n{yes} yes    {no} no| (Enter / n)",
        ),
        "hw.look_red_one": (
            "灯是红的吗\n{yes} 是    {no} 否|（回车 / n）",
            "Is it red?\n{yes} yes    {no} no| (Enter / n)",
        ),
        "hw.lights_good": ("四个灯，绿和红", "four lights, green and red"),
        "hw.lights_good_one": ("绿和红都亮", "the light, green and red"),
        "hw.lights_colour_one": (
            "灯只有一种颜色对|三色灯的一路坏了或接错：检查 R、G 两路",
            "only one of the light's colours is right|look at its R and G: one is broken, or they are swapped",
        ),
        "hw.lights_bad_one": ("灯不亮|检查三色灯的 R、G 两路", "the light stays dark|look at its R and G"),
        "hw.lights_colour": (
            "只有一种颜色对|灯不是 WS2812B（颜色顺序不同）；换灯",
            "only one of the colours is right|the lights are not WS2812B (another order of colours): change them",
        ),
        "hw.lights_bad": (
            "灯不亮或不全|检查 DIN 方向、VCC 和电平（3.3 V 数据线要求灯的供电不高于 4.5 V）",
            "the lights do not all light|look at DIN (not DOUT), their supply and its level: 4.5 V at most for a 3.3 "
            "V line",
        ),
        "hw.reader_good": ("PN532 固件 {version}，{link}", "PN532 firmware {version}, by {link}"),
        "hw.reader_irq": (
            "PN532 {version} 有应答，但中断线没有动作|检查 IRQ 接到 GPIO {gpio}",
            "PN532 {version} answers, but its interrupt line never moves|IRQ belongs to GPIO {gpio}",
        ),
        "hw.reader_switches": (
            "PN532 {version} 的拨码开关在 {set}（1 {set_one}，2 {set_two}），应为 {link}（1 {one}，2 {two}）|"
            "断电，把开关 1 拨到 {one}、2 拨到 {two}，再上电",
            "the switches of PN532 {version} say {set} (1 {set_one}, 2 {set_two}), {link} is wanted (1 {one}, 2 {two})|"
            "switch the supply off, set switch 1 {one} and switch 2 {two}, and switch it on again",
        ),
        "hw.reader_reset": (
            "PN532 {version} 的复位线没有作用|检查 RSTPDN 接到 GPIO {gpio}",
            "the reset of PN532 {version} does nothing|RSTPDN belongs to GPIO {gpio}",
        ),
        "hw.reader_swapped": (
            "PN532 {version} 的 {a} 和 {b} 接反了|对调：{a} 接 GPIO {gpio_a}，{b} 接 GPIO {gpio_b}",
            "{a} and {b} of PN532 {version} are swapped|{a} belongs to GPIO {gpio_a}, {b} to GPIO {gpio_b}",
        ),
        "hw.reader_elsewhere": (
            "PN532 {version} 的 {pin} 接在 GPIO {gpio}，应接 GPIO {wanted}|移到 GPIO {wanted}",
            "{pin} of PN532 {version} is on GPIO {gpio}|it belongs to GPIO {wanted}",
        ),
        "hw.reader_silent": (
            "PN532 用 SPI、I2C、HSU 都没有应答|检查 VCC、GND 和各线；开关应为 {link}：1 {one}，2 {two}；RSTPDN 须为高",
            "the PN532 answers neither by SPI nor I2C nor HSU, as far as its wires reach|look at its supply, its "
            "wires and "
            "RSTPDN; its switches belong on {link}: 1 {one}, 2 {two}",
        ),
        "hw.reader_first": ("读卡器没有应答，未查", "the reader does not answer: not tried"),
        "hw.tap": (
            "请放卡\n在读卡器上|（没有反应就按回车）",
            "Hold a card\nto the reader| (Enter if nothing happens)",
        ),
        "hw.card_good": ("读到支付卡", "a payment card was read"),
        "hw.card_plain": ("读到一张卡（不是支付卡）", "a card was read (none that pays)"),
        "hw.card_none": (
            "没有读到卡|换一张卡；天线离金属和屏幕远一点；检查 PN532 的供电（射频要 100 mA 以上）",
            "no card was read|try another one; keep the antenna away from metal and the panel; its field wants more "
            "than "
            "100 mA",
        ),
        "hw.card_several": ("感应区有多张卡|只放一张再试", "several cards in the field|try again with one"),
        "hw.card_reader": (
            "读卡时读卡器出错：{why}|检查读卡器供电和接线",
            "the reader failed: {why}|look at its supply and wires",
        ),
        "hw.scanning": ("正在扫描\n无线网络", "Scanning\nfor Wi-Fi"),
        "hw.wifi_good": (
            "{count} 个网络，最强 {name}（{dbm} dBm）",
            "{count} network(s), the strongest {name} ({dbm} dBm)",
        ),
        "hw.wifi_weak": (
            "信号弱：{count} 个网络中最强的是 {name}（{dbm} dBm）|检查天线",
            "weak: the strongest of {count} is {name} ({dbm} dBm)|look at the antenna",
        ),
        "hw.wifi_none": (
            "没有发现无线网络|检查天线（带 IPEX 座的模块须接天线）；附近须有 2.4 GHz 网络",
            "no network was found|look at the antenna (a module with a socket needs one); there must be one at 2.4 "
            "GHz nearby",
        ),
        "hw.both": ("正在测试供电\n读卡器加无线", "Testing supply\n(reader+Wi-Fi)"),
        "hw.supply_good": ("读卡器和无线同时工作正常", "reader and Wi-Fi work at the same time"),
        "hw.supply_brownout": (
            "读卡器和无线同时工作时掉电重启|供电不足：换粗短的 USB 线或 1 A 以上的电源，PN532 旁加 100 µF 以上电容",
            "reader and Wi-Fi together pull the supply down: it restarted|take a short thick USB cable and a supply "
            "of 1 A "
            "or more; put 100 µF or more beside the PN532",
        ),
        "hw.supply_reset": (
            "读卡器和无线同时工作时重启了（{cause}）|先按供电不足处理；若仍发生，换板",
            "it restarted while reader and Wi-Fi worked ({cause})|look at the supply first; else change the board",
        ),
        "hw.supply_hangs": (
            "读卡器和无线同时工作时停住了|检查供电，重新上电再试",
            "it hung while reader and Wi-Fi worked|look at the supply, switch it off and on, and try again",
        ),
        "hw.supply_reader": (
            "无线工作时读卡器停了：{why}|检查读卡器的供电和电容",
            "the reader stopped while Wi-Fi sent: {why}|look at the reader's supply; put 100 µF or more beside it",
        ),
        "hw.label": ("合格。标签已写入 {files}", "It passes; its label is in {files}"),
        "hw.end_well": ("硬件检查通过", "Hardware is good"),
        "hw.end_faults": ("硬件有故障", "Faults were found"),
    }
)
