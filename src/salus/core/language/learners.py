"""Messages of the learners."""

from salus.core.language.message import Message

MESSAGES = {
    "learner_one_class": Message(
        422,
        "{where}: expected at least two classes among the rows to learn from; found {found}.",
        "{where}：用于学习的行中至少应有两个类别；实际为 {found} 个。",
        "Add rows of other classes, or group by another column so that each side of the split has several.",
        "请加入其他类别的行，或改用另一分组列，使划分的每一部分都含有多个类别。",
    ),
    "learner_too_large": Message(
        422,
        "{where}: expected a model of at most {expected} bytes; found {found}.",
        "{where}：模型最多 {expected} 字节；实际为 {found}。",
        "Ask for fewer trees or leaves in the options.",
        "请在选项中减少树或叶的数量。",
    ),
}
