"""Messages of texts and of the networks that read them."""

from salus.core.language.message import Message

MESSAGES = {
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
