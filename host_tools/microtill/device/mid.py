"""Merchant IDs (收单机构 3 + 地区 4 + MCC 4 + 序号 4), terminal IDs, and what merchant category codes mean."""

import re
from dataclasses import dataclass

from microtill.device import texts
from microtill.device.errors import UsageError

_MID = re.compile(r"[0-9]{15}", re.ASCII)
_TID = re.compile(r"[0-9A-Z]{8}", re.ASCII)

# ISO 18245, those that shops, restaurants and services usually have.
CATEGORIES: dict[str, tuple[str, str]] = {
    "0742": ("兽医", "veterinary services"),
    "0780": ("园艺", "landscaping and horticulture"),
    "1520": ("建筑承包", "general contractors"),
    "1711": ("暖通与管道", "heating and plumbing"),
    "1731": ("电气承包", "electrical contractors"),
    "1799": ("专业承包", "special trade contractors"),
    "2741": ("印刷出版", "publishing and printing"),
    "4111": ("市内客运", "local passenger transport"),
    "4112": ("铁路客运", "passenger railways"),
    "4121": ("出租车", "taxis"),
    "4131": ("长途客车", "bus lines"),
    "4214": ("货运快递", "freight and delivery"),
    "4215": ("快递", "courier services"),
    "4225": ("仓储", "storage"),
    "4411": ("邮轮", "cruise lines"),
    "4511": ("航空公司", "airlines"),
    "4722": ("旅行社", "travel agencies"),
    "4784": ("路桥通行费", "tolls"),
    "4812": ("电话与通讯设备", "telephones and equipment"),
    "4814": ("电信服务", "telecommunication services"),
    "4816": ("网络服务", "network services"),
    "4899": ("有线电视", "cable television"),
    "4900": ("水电煤气", "utilities"),
    "5021": ("办公家具批发", "office furniture, wholesale"),
    "5039": ("建材批发", "construction materials, wholesale"),
    "5045": ("电脑及外设批发", "computers, wholesale"),
    "5065": ("电器零件批发", "electrical parts, wholesale"),
    "5072": ("五金批发", "hardware, wholesale"),
    "5094": ("珠宝批发", "jewellery, wholesale"),
    "5111": ("文具与打印纸", "stationery and office supplies"),
    "5122": ("药品批发", "drugs, wholesale"),
    "5192": ("书报批发", "books and newspapers, wholesale"),
    "5200": ("家居建材超市", "home supply stores"),
    "5211": ("建材商店", "building materials stores"),
    "5251": ("五金商店", "hardware stores"),
    "5261": ("园艺商店", "garden supply stores"),
    "5300": ("批发俱乐部", "wholesale clubs"),
    "5309": ("免税店", "duty-free stores"),
    "5310": ("折扣店", "discount stores"),
    "5311": ("百货商店", "department stores"),
    "5331": ("杂货店", "variety stores"),
    "5399": ("综合商店", "general merchandise"),
    "5411": ("超市", "grocery stores, supermarkets"),
    "5422": ("肉店", "meat stores"),
    "5441": ("糖果店", "confectionery stores"),
    "5451": ("乳品店", "dairy stores"),
    "5462": ("面包店", "bakeries"),
    "5499": ("便利店、专卖食品", "convenience stores, food specialities"),
    "5511": ("汽车销售", "car dealers"),
    "5532": ("轮胎商店", "tyre stores"),
    "5533": ("汽车配件", "car parts"),
    "5541": ("加油站", "service stations"),
    "5542": ("自助加油", "automated fuel dispensers"),
    "5571": ("摩托车商店", "motorcycle shops"),
    "5611": ("男装", "men's clothing"),
    "5621": ("女装", "women's clothing"),
    "5641": ("童装", "children's clothing"),
    "5651": ("服装店", "family clothing"),
    "5655": ("运动服装", "sports clothing"),
    "5661": ("鞋店", "shoe stores"),
    "5699": ("服饰配件", "apparel and accessories"),
    "5712": ("家具店", "furniture stores"),
    "5722": ("家用电器", "household appliances"),
    "5732": ("电子产品", "electronics stores"),
    "5733": ("乐器店", "music stores"),
    "5734": ("软件商店", "software stores"),
    "5811": ("宴会承办", "caterers"),
    "5812": ("餐馆", "restaurants"),
    "5813": ("酒吧、茶馆", "bars, tea houses"),
    "5814": ("快餐店", "fast food"),
    "5912": ("药店", "pharmacies"),
    "5921": ("烟酒店", "liquor stores"),
    "5941": ("体育用品", "sporting goods"),
    "5942": ("书店", "book stores"),
    "5943": ("文具店", "stationery stores"),
    "5944": ("珠宝钟表", "jewellery and watches"),
    "5945": ("玩具店", "toy shops"),
    "5947": ("礼品店", "gift shops"),
    "5949": ("布店", "fabric stores"),
    "5970": ("工艺美术用品", "artists' supplies"),
    "5977": ("化妆品店", "cosmetic stores"),
    "5992": ("花店", "florists"),
    "5993": ("烟草店", "tobacconists"),
    "5994": ("书报亭", "news stands"),
    "5995": ("宠物商店", "pet shops"),
    "5999": ("其他专卖零售", "miscellaneous specialty retail"),
    "6300": ("保险", "insurance"),
    "6513": ("房屋租赁中介", "real estate agents"),
    "7011": ("酒店", "hotels"),
    "7210": ("洗衣", "laundry"),
    "7216": ("干洗", "dry cleaners"),
    "7221": ("照相馆", "photographic studios"),
    "7230": ("美容美发", "hairdressers and beauty salons"),
    "7251": ("修鞋", "shoe repair"),
    "7278": ("购物俱乐部", "buying and shopping services"),
    "7298": ("美容养生", "health and beauty spas"),
    "7299": ("其他个人服务", "other personal services"),
    "7311": ("广告", "advertising"),
    "7338": ("复印", "copying"),
    "7372": ("软件与数据处理", "programming and data processing"),
    "7399": ("其他商业服务", "other business services"),
    "7512": ("汽车租赁", "car rental"),
    "7523": ("停车场", "car parks"),
    "7538": ("汽车修理", "car repair"),
    "7542": ("洗车", "car washes"),
    "7629": ("电器修理", "appliance repair"),
    "7832": ("电影院", "cinemas"),
    "7922": ("演出票务", "theatre tickets"),
    "7941": ("体育场馆", "sports clubs and fields"),
    "7991": ("旅游景点", "tourist attractions"),
    "7994": ("电子游戏", "video game arcades"),
    "7996": ("游乐园", "amusement parks"),
    "7997": ("健身俱乐部", "membership clubs"),
    "7999": ("其他娱乐", "recreation services"),
    "8011": ("诊所", "doctors"),
    "8021": ("牙科", "dentists"),
    "8043": ("眼镜店", "opticians"),
    "8062": ("医院", "hospitals"),
    "8099": ("其他医疗", "other health services"),
    "8111": ("律师", "legal services"),
    "8211": ("中小学", "schools"),
    "8220": ("大学", "universities"),
    "8299": ("教育培训", "educational services"),
    "8351": ("托儿所", "child care"),
    "8398": ("慈善机构", "charities"),
    "8641": ("社团", "civic associations"),
    "8999": ("其他专业服务", "professional services"),
    "9311": ("税务", "tax payments"),
    "9399": ("政府服务", "government services"),
    "9402": ("邮政", "postal services"),
}


@dataclass(frozen=True)
class Mid:
    """A merchant ID, taken apart."""

    text: str

    @property
    def acquirer(self) -> str:
        return self.text[:3]

    @property
    def area(self) -> str:
        return self.text[3:7]

    @property
    def mcc(self) -> str:
        return self.text[7:11]

    @property
    def serial(self) -> str:
        return self.text[11:]

    @property
    def category(self) -> str:
        """What the MCC means, in the language of this process; empty for one that is not in the table."""
        names = CATEGORIES.get(self.mcc)
        return names[texts.LANGUAGES.index(texts.language())] if names else ""

    def __str__(self) -> str:
        return self.text


def mid(text: str) -> Mid:
    """A merchant ID: 15 digits, and there is no check digit. UsageError."""
    if not _MID.fullmatch(text):
        raise UsageError("error.mid_form", length=len(text))
    return Mid(text)


def tid(text: str) -> str:
    """A terminal ID: 8 digits or capital letters. UsageError."""
    if not _TID.fullmatch(text):
        raise UsageError("error.tid_form", length=len(text))
    return text
