"""Prints everything of a folder that a copy must keep, one entry a line: print.py FOLDER [OLD:NEW of accounts]"""
import hashlib, os, stat, sys

os.chdir(sys.argv[1])
accounts = dict(pair.split(":") for pair in sys.argv[2:])
first = {}
for at, folders, files in os.walk(b".", followlinks=False):
    folders.sort()
    for name in sorted(folders + files):
        path = os.path.join(at, name)
        of = os.lstat(path)
        words = [repr(path), oct(of.st_mode)]
        words += [accounts.get(str(number), str(number)) for number in (of.st_uid, of.st_gid)]
        words.append(of.st_mtime_ns)
        if stat.S_ISREG(of.st_mode):
            with open(path, "rb") as file:
                words += [of.st_size, hashlib.sha256(file.read()).hexdigest()]
            words.append("sparse" if of.st_blocks * 512 < of.st_size else "whole")
        if stat.S_ISLNK(of.st_mode):
            words.append(repr(os.readlink(path)))
        if not stat.S_ISDIR(of.st_mode):
            words += [of.st_nlink, repr(first.setdefault(of.st_ino, path))]
        if not stat.S_ISLNK(of.st_mode):
            for key in sorted(os.listxattr(path)):
                words.append((key, os.getxattr(path, key)))
        print(*words)
