"""Messages of bundles: writing, reading, signing, and what a graph may hold."""

from salus.core.language.message import Message

MESSAGES = {
    "bundle_damaged": Message(
        422,
        "Bundle, {where}: expected {expected}; found {found}.",
        "模型包，{where}：应为 {expected}；实际为 {found}。",
        "Copy the bundle again from where it was made, or train the model again.",
        "请从生成处重新复制该模型包，或重新训练模型。",
    ),
    "bundle_unsigned": Message(
        422,
        "Bundle, {where}: expected a signature; found none.",
        "模型包，{where}：应带有签名；实际没有。",
        "Use a bundle that this installation trained, or import it and sign it here.",
        "请使用本系统训练的模型包，或导入后在此签名。",
    ),
    "bundle_foreign": Message(
        422,
        "Bundle, {where}: expected a signature of a trusted key; found one of the key {found}.",
        "模型包，{where}：应由受信任的密钥签名；实际由密钥 {found} 签名。",
        "Add that key to the trusted ones if you know its owner; otherwise do not use this bundle.",
        "若认识该密钥的所有者，请将其加入受信任列表；否则请勿使用此模型包。",
    ),
    "bundle_newer": Message(
        422,
        "Bundle, {where}: expected format {expected}; found {found}.",
        "模型包，{where}：应为格式 {expected}；实际为 {found}。",
        "Install a newer version of Salus to read it.",
        "请安装更新版本的 Salus 以读取它。",
    ),
    "bundle_exists": Message(
        409,
        "{where}: expected a folder that does not exist yet; found one.",
        "{where}：目标文件夹不应已存在；实际已存在。",
        "Name another folder, or remove this one first.",
        "请换一个文件夹，或先删除该文件夹。",
    ),
    "graph_refused": Message(
        422,
        "Graph {where}: expected {expected}; found {found}.",
        "计算图 {where}：应为 {expected}；实际为 {found}。",
        "Export the model again as one ONNX file of standard operators on numbers, with all weights inside.",
        "请将模型重新导出为单个 ONNX 文件：只用标准数值算子，权重全部包含在内。",
    ),
    "bad_signing_key": Message(
        422,
        "{where}: expected an Ed25519 private key as PEM that only its owner may read; found {found}.",
        "{where}：应为仅所有者可读的 PEM 格式 Ed25519 私钥；实际为 {found}。",
        "Restore the key from a backup, or remove the file and let Salus make a new one.",
        "请从备份恢复该密钥，或删除该文件让 Salus 生成新的密钥。",
    ),
}
