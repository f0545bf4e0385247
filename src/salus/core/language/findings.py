"""Messages about what is found in data: findings of columns, pictures, recordings, labels and sides."""

from salus.core.language.message import Message

MESSAGES = {
    "empty_column": Message(
        422,
        "Column '{where}' has no value in any row.",
        "列“{where}”在所有行中都没有值。",
        "It cannot help; leave it out, or check how missing values are written.",
        "它没有帮助，可以去掉；或检查缺失值的写法。",
    ),
    "duplicate_rows_estimated": Message(
        422,
        "About {found} rows repeat an earlier row; one in {expected} rows was looked at.",
        "约有 {found} 行与前面的行重复；每 {expected} 行检查了一行。",
        "Check whether they were copied by mistake.",
        "请检查是否误复制。",
    ),
    "infinite_values": Message(
        422,
        "Column '{where}' holds infinity in {found} rows.",
        "列“{where}”有 {found} 行为无穷大。",
        "They are taken as missing; look for a division by zero where they were made.",
        "它们按缺失值处理；请检查产生处是否除以零。",
    ),
}
