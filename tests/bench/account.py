"""Makes the account that the bench works on: DIRECTORY SIZE (full or short)."""
import os
import sys

top, size = sys.argv[1], sys.argv[2]
full = size == "full"


def write(path, content):
    path = os.path.join(top, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)


# One large file for each line that needs a cold one.
for name in ("sequential.bin", "random.bin", "first.bin"):
    write("Large/" + name, os.urandom((256 if full else 32) << 20))
# 210 folders, 4,000 files.
groups, files = (10, 20) if full else (4, 20)
for group in range(groups):
    for folder in range(20):
        for number in range(files):
            write(f"Tree/group{group:02}/folder{folder:02}/file{number:02}.txt", b"x\n")
# 2,000 small files, 10 MB.
for number in range(2000 if full else 200):
    write(f"Small/part{number // 200:02}/note{number:04}.txt", os.urandom(5000))
# A place for what each of the mounts brings.
for name in ("cabinetfs", "rclone", "tuned", "curl"):
    write(f"Incoming/{name}/readme.txt", b"files arrive here\n")
