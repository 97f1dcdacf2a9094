r"""The texts of a nine-field line, without decoding it.

Inside a JSON string a quotation mark is always written `\"`, so that the marks below occur only between two fields.
"""

_BEGIN = len(b'{"instruction": "')
_INPUT = b'", "input": "'
_OUTPUT = b'", "output": "'
_REST = b'", "task_type": {'


def texts(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Return instruction, input and output as they are written in the line, without their quotation marks.

    `ValueError` when the line is not written as a release writes it.
    """
    first = line.index(_INPUT, _BEGIN)
    second = line.index(_OUTPUT, first + len(_INPUT))
    third = line.index(_REST, second + len(_OUTPUT))
    return line[_BEGIN:first], line[first + len(_INPUT) : second], line[second + len(_OUTPUT) : third]


def asked_and_answered(line: bytes) -> tuple[bytes, bytes]:
    """Return what a conversation makes of a line: the instruction with its input under it, and the answer."""
    instruction, given, answer = texts(line)
    return (instruction + b"\\n" + given if given else instruction), answer
