#!/usr/bin/env python3
"""Pack folders into layers and images of an OCI layout.

    oci.py layer FOLDER BLOBS             print the layer's descriptor and diff ID as JSON
    oci.py image LAYOUT NAME CONFIG LAYER...   LAYER as printed by "layer"; CONFIG is the image's "config" object

A folder may be the upper folder of an overlay: what is deleted in it becomes a whiteout.
"""
import gzip
import hashlib
import json
import os
import stat
import sys
import tarfile

EPOCH = 1735689600  # so that the same files make the same layer


class Digesting:
    """A file to write to that keeps the digest of what passes."""

    def __init__(self, below):
        self.below, self.hash, self.size = below, hashlib.sha256(), 0

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        return self.below.write(data)

    def flush(self):
        self.below.flush()

    def digest(self):
        return "sha256:" + self.hash.hexdigest()


def write_blob(blobs, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as file:
        file.write(data)
    return "sha256:" + digest


def is_whiteout(status):
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def add(tar, folder, name):
    path = os.path.join(folder, name)
    if is_whiteout(os.lstat(path)):
        tar.addfile(tarfile.TarInfo(os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name))))
        return
    info = tar.gettarinfo(path, name)
    if info is None:  # a socket
        return
    info.mtime = min(info.mtime, EPOCH)
    info.uname = info.gname = ""
    if info.isreg():
        with open(path, "rb") as file:
            tar.addfile(info, file)
    else:
        tar.addfile(info)
    if info.isdir() and "trusted.overlay.opaque" in os.listxattr(path):
        tar.addfile(tarfile.TarInfo(os.path.join(name, ".wh..wh..opq")))


def layer(folder, blobs):
    os.makedirs(blobs, exist_ok=True)
    part = os.path.join(blobs, "part")
    with open(part, "wb") as file:
        packed = Digesting(file)
        with gzip.GzipFile("", "wb", 6, packed, mtime=0) as zipped:
            plain = Digesting(zipped)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for where, folders, files in os.walk(folder):
                    folders.sort()
                    for name in sorted(folders + files):
                        add(tar, folder, os.path.relpath(os.path.join(where, name), folder))
    os.rename(part, os.path.join(blobs, packed.digest()[7:]))
    print(json.dumps({"digest": packed.digest(), "size": packed.size, "diff": plain.digest()}))


def image(layout, name, config, *layers):
    layers = [json.loads(text) for text in layers]
    blobs = os.path.join(layout, "blobs", "sha256")
    os.makedirs(blobs, exist_ok=True)
    body = json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": json.loads(config),
        "rootfs": {"type": "layers", "diff_ids": [one["diff"] for one in layers]},
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": write_blob(blobs, body),
            "size": len(body),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": one["digest"],
            "size": one["size"],
        } for one in layers],
    }).encode()
    index_path = os.path.join(layout, "index.json")
    index = {"schemaVersion": 2, "manifests": []}
    if os.path.exists(index_path):
        with open(index_path, encoding="utf-8") as file:
            index = json.load(file)
    index["manifests"].append({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": write_blob(blobs, manifest),
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": name},
    })
    with open(index_path, "w", encoding="utf-8") as file:
        json.dump(index, file)
    with open(os.path.join(layout, "oci-layout"), "w", encoding="utf-8") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')


if __name__ == "__main__":
    {"layer": layer, "image": image}[sys.argv[1]](*sys.argv[2:])
