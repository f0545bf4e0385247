"""Networks, one file each. They know torch and shapes; they do not know how they are taught."""
