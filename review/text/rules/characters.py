"""Control characters inside text, and the LaTeX commands whose backslash was read as the start of an escape."""

from review.text.rules.shape import Family, Kind, Rule, answer, matching, question, replacing

# What stands behind the character that the backslash and the first letter became.
_EATEN = (
    r"\f(?:rac|orall|lat)(?![a-z])"
    r"|\r(?:ight(?:arrow|leftharpoons)?|ho|angle|m|floor|ceil)(?![a-z])"
    r"|\x08(?:eta|egin|ar|oldsymbol|ecause|inom|igg?|ot|mod)(?![a-z])"
    r"|\x07(?:lpha|pprox|ngle|st|rc(?:sin|cos|tan)|mp)(?![a-z])"
    r"|\x0b(?:ec|arphi|arepsilon|dots|ert|ee)(?![a-z])"
    r"|\t(?:heta|imes|riangle(?:q|left|right)?|ilde|frac|herefore|extbf|extrm)(?![a-z])"
    r"|\t(?<=[$\\{}()=+\-^_0-9a-zA-Z]\t)(?:ext|an|au|o)(?=[\s{\\(_^$])"
    r"|\n(?:eq|abla|otin|subseteq)(?![a-z])"
)
_LETTERS = {"\f": "f", "\r": "r", "\x08": "b", "\x07": "a", "\x0b": "v", "\t": "t", "\n": "n"}

_EATEN_ESCAPE = Rule(
    id="eaten_escape",
    kind=Kind.FLAG,
    english="The backslash of a LaTeX command was read as an escape, and a control character stands in its place.",
    chinese="LaTeX 命令的反斜杠被当作转义吃掉，变成了控制字符。",
    find=matching(_EATEN),
    signs=(
        r"[\f\r\x08\x07\x0b]",
        r"\t(?:heta|imes|riangle|ilde|frac|herefore|ext|an|au|o)",
        r"\n(?:eq|abla|otin|subseteq)",
    ),
    caught=(
        answer("因此所求概率为 $\frac{1}{3}$。"),
        answer("由 $\theta = 30°$ 得 $\\sin\theta = 0.5$。"),
        answer("$\\left(1+x\right)$ 与 $3\times 4$"),
        question("已知 $a \neq 0$，求 $\x08eta$ 的值。"),
    ),
    passed=(
        answer(r"因此所求概率为 $\frac{1}{3}$，$\theta = 30°$。"),
        answer("名称\t说明\n\ttext 一列\n\tan 另一列"),
        answer("第一行\n等于第二行"),
    ),
    repair=replacing(_EATEN, lambda match: f"\\{_LETTERS[match[0][0]]}{match[0][1:]}"),
)

_CONTROL = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+|\r(?!\n)"

_CONTROL_CHARACTERS = Rule(
    id="control_characters",
    kind=Kind.FLAG,
    english="Control characters stand inside the text.",
    chinese="文本中有控制字符。",
    find=matching(_CONTROL),
    signs=(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}]", r"\r[^\n]"),
    caught=(answer("前半句\x07后半句。"), answer("速度为\x0c，加速度为零。"), question("第一行\r第二行")),
    passed=(answer("第一行\r\n第二行"), answer("甲\t乙\n丙\t丁")),
    repair=replacing(_CONTROL, lambda match: "\n" if match[0] == "\r" else ""),
)

FAMILY = Family(
    "characters",
    "Control characters",
    "控制字符",
    (
        _EATEN_ESCAPE,
        _CONTROL_CHARACTERS,
        _EATEN_ESCAPE.repairing(
            "restore_escapes",
            "Gives LaTeX commands their backslash back where a control character stands in its place.",
            "把被吃掉的 LaTeX 转义还原成带反斜杠的命令。",
        ),
        _CONTROL_CHARACTERS.repairing(
            "remove_control_characters",
            "Removes control characters; tabs stay, and a lone carriage return becomes a line end.",
            "删除控制字符；保留制表符，单独的回车改为换行。",
        ),
    ),
)
