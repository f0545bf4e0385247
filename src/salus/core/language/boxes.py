"""Messages of boxes in pictures."""

from salus.core.language.message import Message

MESSAGES = {
    "not_boxes": Message(
        422,
        '{where}: expected a list of boxes such as [{{"label": "cell", "left": 3, "top": 4, "right": 20, "bottom": 18}}]; '
        "found {found}.",
        '{where}：应为方框列表，例如 [{{"label": "cell", "left": 3, "top": 4, "right": 20, "bottom": 18}}]；实际为 {found}。',
        "Give every box a label and four finite corners in pixels, and nothing else; an empty list says that nothing is there.",
        "请为每个方框给出标签和四个有限的像素坐标，不要有其他字段；空列表表示没有目标。",
    ),
    "boxes_outside": Message(
        422,
        "Column '{where}': {found} boxes in {expected} pictures reach over the edge of their picture.",
        "列“{where}”：{expected} 张图片中有 {found} 个方框超出图片边缘。",
        "They are cut at the edge; if there are many, check whether they belong to pictures of another size.",
        "它们会在边缘处裁剪；若数量很多，请检查方框是否属于其他尺寸的图片。",
    ),
    "boxes_flat": Message(
        422,
        "Column '{where}': {found} boxes in {expected} pictures have no area.",
        "列“{where}”：{expected} 张图片中有 {found} 个方框没有面积。",
        "They are left out; check whether corners were exchanged or clicked by mistake.",
        "它们会被忽略；请检查坐标是否颠倒或误点。",
    ),
    "boxes_double": Message(
        422,
        "Column '{where}': {found} boxes in {expected} pictures lie where another one of their category lies.",
        "列“{where}”：{expected} 张图片中有 {found} 个方框与同类方框重合。",
        "Remove what was drawn twice: the model can find each thing only once.",
        "请删除重复标注：模型对每个目标只能找到一次。",
    ),
    "boxes_small": Message(
        422,
        "Column '{where}': {found} boxes in {expected} pictures are very small.",
        "列“{where}”：{expected} 张图片中有 {found} 个方框非常小。",
        "Small things are found worse; give larger pictures, or cut them into parts.",
        "小目标更难找到；请提供更大的图片，或把图片切成几块。",
    ),
    "pictures_without_boxes": Message(
        422,
        "Column '{where}': {found} pictures have no box.",
        "列“{where}”：{found} 张图片没有方框。",
        "They teach what is nothing. Where nobody looked, leave the value empty instead of an empty list.",
        "它们用于学习“没有目标”。若尚未标注，请留空而不是写空列表。",
    ),
    "boxes_rare_category": Message(
        422,
        "Column '{where}': {found} categories have fewer than {expected} boxes: {example}.",
        "列“{where}”：{found} 个类别的方框少于 {expected} 个：{example}。",
        "Mark more of them, or put them together with a category that is like them.",
        "请标注更多，或与相近的类别合并。",
    ),
    "boxes_nowhere": Message(
        422,
        "Column '{where}' has no box in any picture.",
        "列“{where}”在所有图片中都没有方框。",
        "Check whether the file of boxes belongs to these pictures.",
        "请检查标注文件是否属于这些图片。",
    ),
    "boxes_without_picture": Message(
        422,
        "{where}: {found} boxes are on pictures that are not there or not listed; they were left out.",
        "{where}：{found} 个方框所在的图片不存在或未列出，已忽略。",
        "Add the pictures, or remove these annotations; then add the data again.",
        "请补充图片或删除这些标注，然后重新添加数据。",
    ),
    "boxes_unknown_category": Message(
        422,
        "{where}: {found} boxes are of a category that has no name; they were left out.",
        "{where}：{found} 个方框的类别没有名称，已忽略。",
        "Add the category to the list of names, then add the data again.",
        "请在名称列表中补充该类别，然后重新添加数据。",
    ),
    "no_named_picture": Message(
        422,
        "{where}: none of the {found} pictures that it names is in the folder or in its images.zip.",
        "{where}：其列出的 {found} 张图片均不在文件夹或其 images.zip 中。",
        "Put the pictures beside the file, under the names in its field 'file_name'.",
        "请将图片放在该文件旁，文件名须与其 'file_name' 字段一致。",
    ),
    "pictures_missing": Message(
        422,
        "{where}: {found} pictures that are named are not there; they were left out.",
        "{where}：{found} 张被引用的图片不存在，已忽略。",
        "Check whether the folder or the archive of pictures is complete.",
        "请检查图片文件夹或压缩包是否完整。",
    ),
    "boxes_crowds": Message(
        422,
        "{where}: {found} regions of crowds were left out.",
        "{where}：{found} 个群体区域已忽略。",
        "Nothing is to be done, unless each thing in them should be found: then mark each.",
        "无需处理；若要找出其中每个目标，请逐个标注。",
    ),
}
