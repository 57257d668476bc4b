"""Makes a folder as unpleasant as a volume that was in use for years: claim.py FOLDER ACCOUNT...

The first account has nearly everything, others have some of it; root has some in any case. Needs root.
"""
import os
import socket
import struct
import subprocess
import sys

folder, accounts = sys.argv[1], [int(word) for word in sys.argv[2:]]
here = os.path.dirname(os.path.abspath(__file__))
subprocess.run([sys.executable, os.path.join(here, "tree.py"), folder], check=True)
os.chdir(folder)


def write(name, data=b"x"):
    with open(name, "wb") as file:
        file.write(data)


os.makedirs("years/2019/a b/--not-an-option", exist_ok=True)
os.makedirs("years/empty/also empty")
os.makedirs("lost+found/#12345")
write("lost+found/#12345/found", b"by fsck")
# 64 MiB of which 12 KiB were ever written.
with open("years/sparse", "wb") as file:
    file.truncate(64 << 20)
    for place in (1 << 20, 33 << 20, (64 << 20) - 4096):
        file.seek(place)
        file.write(os.urandom(4096))
write("years/2019/random", os.urandom(3 << 20))
for number in range(300):
    write(f"years/2019/a b/{number}", bytes([number % 256]) * (number * 7))
for name in (b"years/\xe9t\xe9", b"years/\x01\x02\x1b[31m", b"years/a\n\nb\\n", "years/’quoted’ \"twice\" 'once'".encode(), b"years/-", b"years/%s%n",
             b"years/" + b"n" * 255):
    write(name, name)
write("years/2019/a b/--not-an-option/*", b"star")
os.symlink("/etc/passwd", "years/absolute")
os.symlink("/data/../data/plain", "years/to itself")
os.symlink("../../../../../../out of it", "years/relative")
os.symlink(b"nowhere\xff\n", b"years/dangling\xff")
os.link("years/2019/random", "years/empty/the same")
os.link("years/2019/random", "dir/the same again")
os.mkfifo("years/fifo")
server = socket.socket(socket.AF_UNIX)
server.bind("years/socket")
server.close()
os.setxattr("years/2019/random", "user.checksum", b"\x00\xff binary \n")
os.setxattr("years/empty", "user.of a folder", b"yes")
os.setxattr("years/2019/a b/7", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
# user::rw-, user:2000:r--, group::r--, mask::r--, other::---
rules = [(1, 6, 0xFFFFFFFF), (2, 4, 2000), (4, 4, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
access = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *rule) for rule in rules)
os.setxattr("years/2019/a b/8", "system.posix_acl_access", access)
capability = os.getxattr("years/2019/a b/7", "security.capability")

names = sorted(os.path.join(at, name) for at, folders, files in os.walk(b"years") for name in folders + files)
for number, name in enumerate([b"years", *names]):
    # Each tenth belongs to another account, each eleventh to root.
    account = accounts[0]
    if number % 10 == 9:
        account = accounts[number // 10 % len(accounts)]
    if number % 11 == 10:
        account = 0
    os.lchown(name, account, account)
    if not os.path.islink(name):
        continue
    os.utime(name, ns=(0, 1_100_000_000_000_000_000 + number), follow_symlinks=False)
# A change of the owner takes these away.
os.setxattr("years/2019/a b/7", "security.capability", capability)
for name, mode in (("years/2019/a b/1", 0o6755), ("years/2019/a b/2", 0o000), ("years/2019", 0o3771), ("years/empty/also empty", 0o1777),
                   ("years/2019/a b/3", 0o4711), ("years/fifo", 0o620)):
    os.chmod(name, mode)
for number, name in enumerate(reversed(names)):
    if not os.path.islink(name):
        os.utime(name, ns=(0, (-1_000_000_000 if number == 3 else 946_684_800_000_000_000 + number * 86_400_000_000_001)))
os.utime("years", ns=(0, 915_148_800_123_456_789))
