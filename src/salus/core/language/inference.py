"""Messages of answering: requests that do not fit a model, and engines that fail."""

from salus.core.language.message import Message

MESSAGES = {
    "number_not_allowed": Message(
        422,
        "{where}: expected {expected}; found {found}.",
        "{where}：应为 {expected}；实际为 {found}。",
        "Send a number in this range, or leave the field out.",
        "请发送该范围内的数，或省略此字段。",
    ),
    "schema_mismatch": Message(
        422,
        "{where}: expected {expected}; found {count} difference(s): {found}.",
        "{where}：应为 {expected}；实际有 {count} 处不符：{found}。",
        "Correct these fields; the endpoint's page shows its request schema and an example row.",
        "请改正这些字段；端点页面给出请求模式和示例行。",
    ),
    "not_a_picture_model": Message(
        415,
        "{where}: expected a model with one picture or sound as its only input; found the inputs {found}.",
        "{where}：模型的唯一输入应为一张图片或一段声音；实际输入为 {found}。",
        "Send JSON rows instead of raw bytes.",
        "请发送 JSON 行，而不是原始字节。",
    ),
    "engine_failed": Message(
        500,
        "The engine of this model failed: {found}.",
        "该模型的计算引擎失败：{found}。",
        "Send the request again; if it fails again, deploy another version.",
        "请重新发送请求；若再次失败，请部署其他版本。",
    ),
    "engine_refuses_graph": Message(
        422,
        "Graph {where}: expected a graph that the engine can load; found {found}.",
        "计算图 {where}：应能被计算引擎加载；实际为 {found}。",
        "Export the model again for the installed ONNX Runtime.",
        "请按已安装的 ONNX Runtime 重新导出模型。",
    ),
    "bundle_disagrees": Message(
        422,
        "{where}: expected the serving engine to repeat the trainer's answers; found {found}.",
        "{where}：服务引擎应重现训练时的结果；实际为 {found}。",
        "Do not use this model; report the learner and its options, which the plan in the report names.",
        "请勿使用该模型；请反馈报告的计划中列出的学习器及其选项。",
    ),
}
