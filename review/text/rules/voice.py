"""The voice of a model in a text that should be a person's."""

from review.text.rules.shape import Family, Kind, Rule, answer, matching, words

_MODEL = (
    r"(?:[Aa][Ii]|人工智能|智能)\s?(?:语言模型|数字人|助手|助理|模型|机器人|系统|程序)?|(?:大型?|大规模)?语言模型|聊天机器人|"
    r"虚拟助手"
)
_VOICE = (
    rf"作为(?:一个|一名|一位|一款|一种)?(?:虚拟|有智能)?的?(?:{_MODEL})(?=[，,。、\s]|我)|"
    rf"我(?:只)?是(?:一个|一名|一位|一款|一种)?(?:由[^，。\n]{{1,12}}(?:开发|训练)的)?(?:{_MODEL})(?=[，,。！!、\s]|$)|"
    r"[aA]s an AI\b|"
    r"(?:很抱歉|对不起|抱歉)，\s?(?:但)?我(?:无法|不能)(?:回答|提供|满足|继续|生成|协助)|我(?:无法|不能)回答(?:这个|该|这一|您的|你的)问题|我的(?:知识|训练数据)(?:库)?(?:截止|截至|更新)"
)
_MODEL_VOICE = Rule(
    id="model_voice",
    kind=Kind.FLAG,
    english="The answer speaks as a language model does.",
    chinese="回答带有模型口吻，例如“作为AI语言模型”。",
    find=matching(_VOICE, ("output",)),
    signs=(
        "作为(?:一[个名位款种])?(?:[Aa][Ii]|有?智能|人工|大|语言|聊天|虚拟)",
        "我(?:只?是(?:一[个名位款种]|由|AI|人工|智能|大|语言|聊天|虚拟)|的(?:知识|训练)|无法|不能)",
        "[aA]s an AI",
    ),
    caught=(
        answer("作为一个AI语言模型，我没有感情。"),
        answer("我是人工智能助手，无法回答。"),
        answer("As an AI, I cannot"),
        answer("我不能回答这个问题，因为这是非法的。"),
        answer("作为一个虚拟AI助手，我没有身体。"),
        answer("作为一个有智能的ai数字人，我没有偏好。"),
    ),
    passed=(answer("作为人工智能专业的学生，他很努力。"), answer("我是医生，不是机器人。"), answer("总体而言不错")),
)

_FORMULA = r"(?:^|[\n。！？!?])\s{0,4}((?:总之|总的来说|总体来说|总体而言|总而言之|综上所述|综上)[，,：:]?)"
_CLOSING_FORMULA = Rule(
    id="closing_formula",
    kind=Kind.FLAG,
    english="A sentence opens with a stock phrase of summing up, as models like to end with.",
    chinese="有模型惯用的总结套话，例如“总之”“总的来说”。",
    find=matching(_FORMULA, ("output",)),
    signs=words("总之", "总的来说", "总体来说", "总体而言", "总而言之", "综上"),
    caught=(answer("有三点原因。总之，要多练习。"), answer("第一点。\n综上所述，可以采用。")),
    passed=(answer("他这个人总之是不肯来的。"), answer("把总的来说一说")),
)

FAMILY = Family(
    "voice",
    "Model voice",
    "模型口吻",
    (
        _MODEL_VOICE,
        _CLOSING_FORMULA,
        _MODEL_VOICE.dropping(
            "drop_model_voice", "Drops records whose answer speaks as a model.", "丢弃回答带模型口吻的记录。"
        ),
    ),
)
