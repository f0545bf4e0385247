"""Messages of the layouts of data: archives, joined files, and text that is no table."""

from __future__ import annotations

from salus.core.language.message import Message

MESSAGES: dict[str, Message] = {
    "archive_too_large": Message(
        422,
        "{where}: expected at most {expected} when unpacked; found {found}.",
        "{where}：解压后最多 {expected}；实际为 {found}。",
        "Unpack it where you trust it and give the folder, or leave out what is not needed.",
        "请在可信环境中自行解压并给出文件夹，或去掉不需要的内容。",
    ),
    "archive_overlap": Message(
        422,
        "{where}: expected entries that lie one after the other; found two that share bytes: '{found}'.",
        "{where}：各条目应依次排列；实际有两个条目共用字节：“{found}”。",
        "Make the archive again with an ordinary program.",
        "请用常规程序重新打包。",
    ),
    "archive_nested": Message(
        422,
        "{where}: expected files; found an archive inside the archive: '{found}'.",
        "{where}：应为文件；实际在压缩包内又有压缩包：“{found}”。",
        "Pack the files themselves, or give the inner archive on its own.",
        "请直接打包文件，或单独给出内层压缩包。",
    ),
    "too_many_entries": Message(
        422,
        "{where}: expected at most {expected} entries; found more.",
        "{where}：最多 {expected} 个条目；实际更多。",
        "Give a folder, or Parquet files that hold many rows each.",
        "请给出文件夹，或使用每个含多行的 Parquet 文件。",
    ),
    "archive_unsafe_entry": Message(
        422,
        "{where}: expected plain files below the archive; found the entry {found}.",
        "{where}：压缩包内应为普通文件；实际有条目 {found}。",
        "Make the archive again without links, devices, absolute names, '..' and names that differ in case only.",
        "请重新打包，去掉链接、设备、绝对路径、“..”以及仅大小写不同的名称。",
    ),
    "archive_malformed": Message(
        422,
        "{where}: expected a whole zip, tar or gzip file; found {found}.",
        "{where}：应为完整的 zip、tar 或 gzip 文件；实际为 {found}。",
        "Copy or pack it again; encrypted archives must be unpacked first.",
        "请重新复制或打包；加密的压缩包须先解密。",
    ),
    "member_missing": Message(
        422,
        "{where}: expected the name of a file in it; found '{found}'. There are: {expected}.",
        "{where}：应为其中某个文件的名称；实际为“{found}”。现有：{expected}。",
        "Name a file that is there.",
        "请给出存在的文件名。",
    ),
    "several_tables": Message(
        422,
        "{where}: expected one table, or train and test files; found several files: {found}.",
        "{where}：应为一个表格，或 train 与 test 文件；实际有多个文件：{found}。",
        "Name one of them as PATH#FILE; files that belong together are added with --join FILE --on COLUMN.",
        "请以 路径#文件 指定其中一个；相关文件可用 --join 文件 --on 列 合并。",
    ),
    "join_duplicate_keys": Message(
        422,
        "{where}: expected one row for every value of '{expected}'; found {found} again.",
        "{where}：“{expected}”的每个值应只有一行；实际 {found} 重复。",
        "Join by a column whose values are all different there, or remove the repeated rows.",
        "请用取值互不相同的列合并，或删除重复行。",
    ),
    "quote_unclosed": Message(
        422,
        "{where}: expected a closing quote; found none up to {found}.",
        "{where}：应有右引号；直到{found}仍未找到。",
        'Close the quote, or double it (""), in that line.',
        '请在该行补上右引号，或将其写成两个（""）。',
    ),
    "header_is_a_row": Message(
        422,
        "{where}: expected column names; found numbers ('{found}' twice): the first line looks like a row.",
        "{where}：首行应为列名；实际为数字（“{found}”出现两次）：首行像是一行数据。",
        "Say --no-header (header=False); the columns are then called c0, c1, ...",
        "请使用 --no-header（header=False）；各列将命名为 c0、c1……",
    ),
    "format_malformed": Message(
        422,
        "{where}: expected {expected}; found {found}.",
        "{where}：应为 {expected}；实际为 {found}。",
        "Write the file again, or save the data as CSV or Parquet.",
        "请重新生成该文件，或将数据另存为 CSV 或 Parquet。",
    ),
    "file_missing": Message(
        422,
        "{where}: expected the file '{expected}' beside it; found none.",
        "{where}：旁边应有文件“{expected}”；实际没有。",
        "Add the file, or remove the row that names it.",
        "请补上该文件，或删除引用它的行。",
    ),
    "first_line_is_numbers": Message(
        422,
        "{where}: the first line holds numbers only; they were taken as the names of the columns.",
        "{where}：首行全为数字，已被当作列名。",
        "If it is a row, add the data again with --no-header (header=False).",
        "若首行是数据，请使用 --no-header（header=False）重新添加。",
    ),
    "join_unmatched": Message(
        422,
        "{found} rows have no row in '{where}' with the same '{expected}'; its columns are empty there.",
        "有 {found} 行在“{where}”中找不到相同的“{expected}”；相应的列为空。",
        "Check that both files name the same things in the same way.",
        "请检查两个文件的键是否一致。",
    ),
    "column_renamed": Message(
        422,
        "{where}: the column '{found}' of one file is taken for '{expected}' of the first.",
        "{where}：某文件的列“{found}”被视为首个文件的列“{expected}”。",
        "Give it one name in all files if that is wrong.",
        "若不对，请在各文件中使用一致的列名。",
    ),
}
