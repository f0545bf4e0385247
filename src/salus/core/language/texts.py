"""Messages of texts and of the networks that read them."""

from salus.core.language.message import Message

MESSAGES = {
    "texts_in_texts": Message(
        422,
        "Column '{where}': number of texts that are parts of other texts: {found}; those that choose between models are held apart from them.",
        "列“{where}”：{found} 条文本是其他文本的一部分；用于选择模型的文本已与它们分开。",
        "Give a test side of texts that are no parts of those learned from, or the column that says what they were cut from with --group.",
        "请给出不属于训练文本一部分的测试集，或用 --group 指明说明其来源的列。",
    ),
    "texts_without_words": Message(
        422,
        "Column '{where}': number of texts that hold no letter and no digit: {found}.",
        "列“{where}”：{found} 条文本不含任何文字或数字。",
        "Nothing can be learned from them; leave these rows out, or look for where the texts were lost.",
        "无法从中学习；请去掉这些行，或检查文本在何处丢失。",
    ),
    "texts_broken": Message(
        422,
        "Column '{where}': number of texts that hold control, hidden or replacement characters: {found}.",
        "列“{where}”：{found} 条文本含有控制字符、隐藏字符或替换字符。",
        "They were probably read with the wrong encoding, or copied from a page; write the file as UTF-8 again, or clean them.",
        "可能是编码读取有误，或从网页复制而来；请重新以 UTF-8 写出文件，或清理这些字符。",
    ),
    "texts_long": Message(
        422,
        "Column '{where}': number of texts that are longer than {expected} characters: {found}; of them only so many are read.",
        "列“{where}”：{found} 条文本超过 {expected} 个字符；只读取开头的这么多字符。",
        "Put what matters first, or part long texts into several rows.",
        "请把重要内容放在前面，或把长文本拆成多行。",
    ),
    "texts_other_script": Message(
        422,
        "Column '{where}': number of texts that are written in {example}: {found}; most others are in {expected}.",
        "列“{where}”：{found} 条文本使用 {example} 文字，而多数文本使用 {expected} 文字。",
        "Check whether they belong here: few texts of a script are learned badly.",
        "请检查它们是否属于此数据：某种文字的文本太少时学不好。",
    ),
    "backbone_missing": Message(
        422,
        "{where}: expected a sentence transformer that was trained before; found {found}.",
        "{where}：需要预先训练好的句子模型；实际为 {found}。",
        "Install the package {expected}, or put a folder with config.json, tokenizer.json and model.safetensors into the folder that "
        "SALUS_WEIGHTS names, and its name into the option backbone.",
        "请安装软件包 {expected}，或把含有 config.json、tokenizer.json 和 model.safetensors 的文件夹放入 SALUS_WEIGHTS 所指的文件夹，"
        "并在选项 backbone 中写出其名称。",
    ),
}
