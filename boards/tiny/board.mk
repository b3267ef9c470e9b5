TARGET := x86_64-linux-gnu
