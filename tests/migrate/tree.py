"""Makes a folder with everything that a volume can hold: tree.py FOLDER. Files are of account 1000 where this runs as root."""
import os, sqlite3, sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
os.chdir(folder)


def write(name, text):
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


os.makedirs("dir/deep/er")
for name in ["empty", "sticky"]:
    os.mkdir(name)
write("plain", "hello")
write("dir/deep/er/f", "x" * 70000)
write("zero", "")
write("dir/with space", "s")
write("-rf", "a dash")
write("new\nline", "n")
write("quo'te\"s $(touch evil) `x`;&|*?[a]", "q")
write("back\\slash\\012\\040", "b")
write(b"bytes\xff\xfe", "y")
write("tab\there", "t")
write("return\rx", "c")
write(" blanks at both ends ", "b")
write("dir/x" + "y" * 240, "long")
for number in range(200):
    write(f"dir/n{number}", str(number) * 100)
os.symlink("plain", "link")
os.symlink("no where\n", "dangling")
os.symlink("deep", "dir/to folder")
os.link("plain", "hard1")
os.link("plain", "dir/hard2")
with open("sparse", "wb") as file:
    file.truncate(40 << 20)
    file.seek(20 << 20)
    file.write(b"in the middle")
os.mkfifo("fifo")
database = sqlite3.connect("dir/a b.db")
database.execute("create table t(x)")
database.executemany("insert into t values(?)", [(number,) for number in range(1000)])
database.commit()
database.close()
if os.getuid() == 0:
    for at, folders, files in os.walk("."):
        for name in folders + files:
            os.lchown(os.path.join(at, name), 1000, 1000)
try:
    os.setxattr("plain", "user.a b", b"v\0x")
    os.setxattr("new\nline", "user.k", b"1")
    os.setxattr("dir", "user.folder", b"2")
except OSError:
    print("no extended attributes here")
os.chmod("zero", 0o4755)
os.chmod("dir", 0o2775)
os.chmod("sticky", 0o1777)
os.chmod("dir/n3", 0o0)
os.utime("dir/n4", ns=(0, 123456789))
os.utime("link", ns=(0, 987654321012345678), follow_symlinks=False)
os.utime("empty", ns=(0, 1000000000123456789))
