"""Messages of the study."""

from salus.core.language.message import Message

MESSAGES = {
    "another_study": Message(
        409,
        "{where}: expected the checkpoints of this study; found those of other data or of another spec.",
        "{where}：应为本次训练的检查点；实际属于其他数据或其他设置。",
        "Name another folder, or say the same data and options again.",
        "请指定另一个文件夹，或使用相同的数据和选项。",
    ),
    "group_used": Message(
        200,
        "The column '{where}' says whose row it is ({found} different; {expected}), so its rows are kept on one side.",
        "列 '{where}' 表示每行属于谁（{found} 个不同值；{expected}），因此同一值的行只放在划分的一边。",
        "Name another column with --group, or use --no-find-group when rows do not belong to people.",
        "可用 --group 指定其他列；若各行与人无关，可用 --no-find-group。",
    ),
    "no_labels": Message(
        422,
        "{where}: expected a label in at least some rows; found none.",
        "{where}：至少应有部分行带有标签；实际一个也没有。",
        "Fill in the target column, or name another one with --target.",
        "请填写目标列，或用 --target 指定另一列。",
    ),
    "no_inputs": Message(
        422,
        "{where}: expected at least one column to learn from besides target, group, split and ids; found {found}.",
        "{where}：除目标、分组、划分和编号列外，至少应有一列可供学习；实际只有 {found}。",
        "Add the columns that the answer depends on.",
        "请加入与答案有关的列。",
    ),
    "bad_target": Message(
        422,
        "{where}: expected a column of numbers or of categories; found a column of kind {found}.",
        "{where}：目标列应为数值或类别；实际为 {found} 类型。",
        "Name a column that holds the answer with --target.",
        "请用 --target 指定含有答案的列。",
    ),
    "learner_cannot": Message(
        422,
        "{where} cannot learn from the kinds of this data: {found}.",
        "{where} 不能从该数据的列类型学习：{found}。",
        "Leave --learner out, or set the columns that do not fit to ignore.",
        "请去掉 --learner，或忽略不适用的列。",
    ),
}
