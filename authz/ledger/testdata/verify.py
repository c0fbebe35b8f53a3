#!/usr/bin/env python3
"""Verify a ledger export with the Python standard library and openssl only.

usage: verify.py EXPORT.jsonl TRUSTED_KEY.pem        exit 0 valid, 1 invalid
It shares no code with the Go verifier; the format stands in header.go, note.go
and export.go. Erased bodies are counted, not judged.
"""
import base64, hashlib, json, struct, subprocess, sys, tempfile, os

def sm3(data): return hashlib.new("sm3", data).digest()

def check(ok, what):
    if not ok:
        sys.exit("invalid: " + what)

def root(nodes):  # RFC 6962: split at the largest power of two below the size
    if not nodes: return sm3(b"")
    level = nodes
    while len(level) > 1:  # pairing up level by level gives the same tree
        level = [sm3(b"\x01" + level[i] + level[i + 1]) if i + 1 < len(level) else level[i]
                 for i in range(0, len(level), 2)]
    return level[0]

lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
head, end, rows = json.loads(lines[0]), json.loads(lines[-1]), [json.loads(l) for l in lines[1:-1]]
check(head["kind"] == "yinxin-ledger-export" and end["kind"] == "yinxin-ledger-export-end", "manifest")
check(head["entries"] == end["entries"] == len(rows), "count of entries")
prev, last, leaves, ids, erased = bytes(32), 0, [], set(), 0
for seq, row in enumerate(rows):
    header = base64.b64decode(row["header"], validate=True)
    check(len(header) == 118, "header of %d" % seq)
    ver, shard, epoch, n, ms, cls, p, commit, policy = struct.unpack(">BII6s6sB32s32s32s", header)
    n, ms = int.from_bytes(n, "big"), int.from_bytes(ms, "big")
    check(ver == 1 and shard == head["shard"] and n == seq == row["seq"], "header of %d" % seq)
    check(p == prev, "chain at %d" % seq)
    check(ms >= last, "time at %d" % seq)
    check(row["id"] not in ids, "id at %d" % seq)
    if row["body"] is None and row["salt"] is None:
        erased += 1
    else:
        salt, body = base64.b64decode(row["salt"]), base64.b64decode(row["body"])
        check(len(salt) == 32 and sm3(b"\x10" + salt + body) == commit, "body of %d" % seq)
        check(json.loads(body)["id"] == row["id"], "id of %d" % seq)
    prev, last = sm3(b"\x00" + header), ms
    ids.add(row["id"]); leaves.append(prev)
origin, size, b64, blank, sig = head["checkpoint"].split("\n")[:5]
check(blank == "" and head["checkpoint"].count("\n") == 5 and origin.endswith("/ledger/sm3"), "checkpoint")
check(int(size) == len(leaves) and base64.b64decode(b64) == root(leaves) == base64.b64decode(end["root"]), "root")
dash, name, blob = sig.split(" ")
blob = base64.b64decode(blob, validate=True)
check(dash == "\u2014" and name + "/ledger/sm3" == origin, "signature line")
pem = open(sys.argv[2]).read()
spki = base64.b64decode("".join(l for l in pem.splitlines() if not l.startswith("-")))
check(blob[:4] == sm3(name.encode() + b"\n\xffyinxin/sm2-sm3/v1" + spki)[:4], "key id: not the trusted key")
with tempfile.TemporaryDirectory() as d:
    open(os.path.join(d, "msg"), "wb").write("\n".join([origin, size, b64, ""]).encode())
    open(os.path.join(d, "sig"), "wb").write(blob[4:])
    out = subprocess.run(["openssl", "dgst", "-sm3", "-verify", os.path.abspath(sys.argv[2]), "-sigopt",
                          "distid:1234567812345678", "-signature", "sig", "msg"], cwd=d, capture_output=True)
check(out.returncode == 0, "signature")
print("valid: %s, %d entries, %d erased, root %s" % (origin, len(leaves), erased, root(leaves).hex()))
