"""Every text of the terminal in Chinese, in the form of catalogue_en.py; a test holds the two together."""

TEXTS = {
    # What a transaction ended in: the first thing a person reads.
    "outcome": """
approved 交易成功
declined 交易拒绝
unknown 结果未知
refused 交易拒绝
pending 等待付款
""",
    # Response codes (F39): what it is | what to do next. Shown large: 14 half-width columns a line.
    "rc": """
00 交易成功
03 商户未登记|请联系收单行
13 金额无效|请重新输入
25 无原交易|请核对凭证号
51 余额不足|请换卡
54 卡已过期|请换卡
55 密码错误|请重试
61 金额超限|请换卡
64 原金额不符|请核对原交易
65 次数超限|请换卡
68 交易超时|请勿再次收款
75 密码次数超限|请联系发卡行
77 批次不符|请重新签到
90 系统日切|请稍后重试
91 发卡行故障|请稍后重试
92 线路故障|请稍后重试
94 重复交易|请先查询
96 系统故障|请稍后重试
97 终端未登记|请联系收单行
98 发卡行超时|请勿再次收款
99 密码格式错|请重新签到
A0 校验错误|请重新签到
other 交易拒绝|请联系发卡行
""",
    # Transactions.
    "type": """
sale 消费
void 撤销
refund 退货
preauth 预授权
preauth_void 预授权撤销
completion 预授权完成
completion_void 预授权完成撤销
balance 余额查询
sign_on 签到
sign_off 签退
settle 结算
reversal 冲正
advice 离线上送
echo 通讯测试
""",
    # The line that is always there.
    "status": """
operator 操作员{operator}
signed_off 未登录
online 联机
connecting 连接
offline 脱机
pending 待上送{count}
""",
    # What the keys do, beside their caps.
    "footer": """
ok 确认
cancel 取消
back 返回
void 撤销本笔
retry 重试
more 下一页
menu 菜单
move 选择
zeros 00
clear 删除
mode 切换
""",
    # What the screens say.
    "screen": """
idle 输入金额收款
idle_menu 按 D 进入菜单
sign_on_first 请先签到
amount 请输入金额
present 请挥卡或出示手机
processing 正在处理，请稍候
reading 正在读卡，请勿移开
online 正在联机，请勿断电
remove_card 请移开卡片
two_cards 请只出示一张卡
pulled_away 读卡中断，请重新挥卡
unknown_sale 本笔将自动冲正|请勿再刷卡
unknown_refund 请勿另行退款|联网后自动核实
not_charged 未扣款
reversed 上笔已冲正，未扣款
reversing 上笔未完成，正在冲正
stopped 冲正未完成，暂停交易
stopped_hint 请检查网络；支持代码 {code}
reader_fault 读卡器故障，正在恢复
settling 正在结算，请勿断电
settled 结算完成，账平
unbalanced 账不平，正在上送明细
signing_on 正在签到
signed_on 签到成功
starting 正在启动
self_test 正在自检
self_test_failed 自检失败，停止使用
unconfirmed 上笔请确认
not_provisioned 未绑定商户
not_provisioned_hint 按 D 输入激活码，或由维护员用电脑绑定
trust 信任此收单行
ticket 确认绑定商户
bound 已绑定商户
language 语言 Language
menu 菜单
manage 管理
login 操作员登录
operator 操作员号
pin 请输入密码
activation_code 请输入激活码
wifi_choose 选择无线网络
wifi_scanning 正在搜索无线网络
wifi_change 更换无线网络
wifi_password 无线网络密码
wifi_joining 正在连接无线网络
wifi_joined 无线网络已连接
history 交易查询
totals 交易统计 X
settlement 结算单 Z
diagnose 诊断
erase_keys 清除密钥
erase_keys_hint 清除后必须重新绑定商户才能收款
echo_ok 通讯正常
no_records 没有记录
please_wait 请稍候
service 停用并维护？
serviced 维护中
serviced_hint 由电脑控制，重启后恢复
wipe 清除全部数据？
wiping 正在清除，请勿断电
wifi_list 无线网络 *加密
activating 正在取绑定文件
date 今天的日期
date_hint 年月日共 8 位数字
trusts_hint 信任指纹 {digits}
reveal_hint 按住 D 可见
""",
    # Menu items.
    "menu": """
sale 消费
void 撤销
refund 退货
preauth 预授权
query 查询
settle 结算
sign_on 签到
print 打印
manage 管理
balance 余额查询
history 流水
totals 交易统计 X
reprint 重打印
sign_off 签退
shift 交接班
echo 通讯测试
wifi 无线网络
language 语言 Language
operators 操作员管理
diagnose 诊断
activate 激活码
bind 绑定商户
backup 备份
restore 恢复
about 关于本机
erase_keys 清除密钥
""",
    # What stands before a value.
    "label": """
merchant 商户
mid 商户号
acquirer 收单机构
area 地区
mcc 行业 MCC
serial 序号
tid 终端号
stan 凭证号
rrn 参考号
auth 授权码
batch 批次号
amount 金额
card 卡号
time 时间
operator 操作员
host 主机
name 名称
version 版本
fingerprint 指纹
unit 机身号
firmware 固件
sales 消费
refunds 退货
voids 撤销
count 笔数
net 净额
wifi 无线网络
address 地址
result 结果
support 支持代码
unsettled 未结算
""",
    # Errors, by the key that core/errors.py carries: what it is | what to do.
    "error": """
internal 内部错误|请重启
cancelled 已取消
invalid_value 输入无效|请重新输入
crypto 安全校验失败|请联系支持
keys_exhausted 密钥已用尽|请联系收单行
storage 存储故障|请联系支持
journal_full 流水已满|请先结算
tampered 数据被改，停止使用|请联系支持
reader 读卡器故障，正在恢复
card_other 此卡不能使用|请换卡
card_removed 读卡中断，请重新挥卡
card_collision 请只出示一张卡
card_retry 读卡失败|请再次出示
card_declined 卡片拒绝|请换卡
card_blocked 卡片已锁|请换卡
card_expired 卡已过期|请换卡
card_limit 超过此卡限额|请换卡
card_see_phone 请看手机|然后再出示
link 无法联系收单行|请检查网络
answer 应答无法核实|请勿再次收款
ticket 绑定文件不能用于本机
refused 收单行拒绝本终端
not_provisioned 未绑定商户
not_signed_on 请先签到
clock 时钟不准|请重新签到
pending_reversals 冲正未完成，暂停交易
pin_wrong 密码错误|请重试
pin_locked 密码次数超限|请稍后再试
pin_expired 密码已到期|请修改密码
role 无此权限|请由主管操作
limit 金额超限
busy 正在处理上一笔|请稍候
not_found 没有这笔交易|请核对凭证号
already_voided 本笔已撤销
unsettled 有未结算交易|请先结算
activation_code 激活码有误|请重新输入
settling 结算未完成|请先完成结算
wifi 没有连上无线网络
activation_refused 激活码无效或已过期|请索取新的激活码
activation_wait 尝试过多|请稍后再试
activation_bound 本机已属另一终端号|请联系收单行
activation_taken 终端号已有机器|请联系收单行
activation 收单行未给绑定文件|请联系收单行
no_trust 还没有信任收单行|请先连接电脑
ticket_expired 绑定文件已过期|请重新申请
ticket_old 绑定文件版本不新|请重新申请
newer 数据属于更新的固件|请升级固件
""",
    # Why the acquirer was not reached, or its answer not taken.
    "reason": """
no_wifi 没有无线网络
connecting 正在连接无线网络
wifi_password 无线网络密码错误
wifi_not_found 找不到该无线网络
wifi_refused 无线网络拒绝连接
wifi_weak 无线网络信号太弱
wifi_silent 无线网络没有应答
name_not_found 找不到主机名
refused 主机拒绝连接
timeout 主机没有应答
closed 连接被主机关闭
link 网络连接中断
tls 加密连接失败
tls_name 主机证书名称不符
tls_ca 主机证书不受信任
tls_expired 主机证书已过期
tls_not_yet 主机证书尚未生效
truncated 应答不完整
oversized 应答过长
malformed 应答格式错误
signature 应答签名错误
http_status 主机报告错误
power_cut 中途断电
wifi_no_address 没有分到网络地址
""",
    # What a signed refusal asks for.
    "action": """
sign_on 请重新签到
clock 时钟不准|请重新签到
update 请升级软件
suspended 本终端已停用|请联系收单行
revoked 本终端已吊销|请联系收单行
call 请联系收单行
cloned 本机数据被复制|请联系收单行
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
status.pending 待{count}
screen.present 请挥卡或手机
screen.processing 请稍候
screen.reading 读卡中 请勿移开
screen.online 联机中 请勿断电
screen.pulled_away 读卡中断请重挥
screen.unknown_sale 自动冲正|请勿再刷
screen.reversed 已冲正 未扣款
screen.reversing 正在冲正上笔
screen.stopped 暂停交易 待冲正
screen.reader_fault 读卡器恢复中
screen.settling 结算中 请勿断电
screen.settled 账平 结算完成
screen.unbalanced 账不平 上送中
screen.not_provisioned_hint 按 D 激活|或用电脑绑定
screen.wifi_password 网络密码
screen.self_test_failed 自检失败 已停用
screen.erase_keys_hint 须重新绑定|商户才能收款
error.tampered 数据被改 已停用|请联系支持
error.reader 读卡器恢复中
error.card_removed 读卡中断请重挥
error.card_retry 读卡失败请重挥
error.card_see_phone 看手机后再出示
error.ticket 绑定文件不符
error.pending_reversals 暂停交易 待冲正
""",
    # In place of the above where the keys are drawn on the panel, and have no letters.
    "touch": """
screen.idle_menu 按菜单键
screen.not_provisioned_hint 按菜单键输入激活码，|或由维护员用电脑绑定
screen.reveal_hint 按住 abc 可见
""",
}
