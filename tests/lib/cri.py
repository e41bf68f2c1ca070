#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A kubelet's calls to a container runtime: CRI v1 over its socket, for the tests.

    cri.py SOCKET run < POD      a pod with one container: what its command prints, and how it ended
    cri.py SOCKET version
    cri.py image DIRECTORY NAME > TAR     an image of a directory, as docker save writes it

POD is a JSON object. `sandbox` and `container` are the messages PodSandboxConfig and ContainerConfig
of k8s.io/cri-api (pkg/apis/runtime/v1/api.proto) with the fields below; `handler` is the RuntimeClass's;
`exec` is the command. Without protoc: the fields and their numbers are written down here, as far as
the tests need them.
"""
import hashlib
import io
import json
import subprocess
import sys
import tarfile

# NAME: (NUMBER, TYPE); a list of one type is repeated, a dict is a message, MAP is map<string, string>.
MAP = "map"
NAMESPACES = {"network": (1, int), "pid": (2, int), "ipc": (3, int), "target_id": (4, str)}
ID_MAPPING = {"host_id": (1, int), "container_id": (2, int), "length": (3, int)}
USER_NAMESPACE = {"mode": (1, int), "uids": (2, [ID_MAPPING]), "gids": (3, [ID_MAPPING])}
NAMESPACES["userns_options"] = (5, USER_NAMESPACE)
SANDBOX = {
    "metadata": (1, {"name": (1, str), "uid": (2, str), "namespace": (3, str), "attempt": (4, int)}),
    "hostname": (2, str),
    "log_directory": (3, str),
    "labels": (6, MAP),
    "annotations": (7, MAP),
    "linux": (8, {
        "cgroup_parent": (1, str),
        "security_context": (2, {"namespace_options": (1, NAMESPACES), "privileged": (6, bool)}),
    }),
}
CAPABILITIES = {"add_capabilities": (1, [str]), "drop_capabilities": (2, [str])}
IMAGE = {"image": (1, str), "user_specified_image": (18, str)}
CONTAINER = {
    "metadata": (1, {"name": (1, str), "attempt": (2, int)}),
    "image": (2, IMAGE),
    "command": (3, [str]),
    "args": (4, [str]),
    "envs": (6, [{"key": (1, str), "value": (2, str)}]),
    "mounts": (7, [{"container_path": (1, str), "host_path": (2, str), "readonly": (3, bool)}]),
    "annotations": (10, MAP),
    "log_path": (11, str),
    "linux": (15, {
        "security_context": (2, {
            "capabilities": (1, CAPABILITIES), "privileged": (2, bool), "namespace_options": (3, NAMESPACES),
            "readonly_rootfs": (7, bool),
        }),
    }),
    "CDI_devices": (17, [{"name": (1, str)}]),
}
METHODS = {
    "Version": ({"version": (1, str)},
                {"version": (1, str), "runtime_name": (2, str), "runtime_version": (3, str)}),
    "RunPodSandbox": ({"config": (1, SANDBOX), "runtime_handler": (2, str)}, {"pod_sandbox_id": (1, str)}),
    "StopPodSandbox": ({"pod_sandbox_id": (1, str)}, {}),
    "RemovePodSandbox": ({"pod_sandbox_id": (1, str)}, {}),
    "CreateContainer": ({"pod_sandbox_id": (1, str), "config": (2, CONTAINER), "sandbox_config": (3, SANDBOX)},
                        {"container_id": (1, str)}),
    "StartContainer": ({"container_id": (1, str)}, {}),
    "StopContainer": ({"container_id": (1, str), "timeout": (2, int)}, {}),
    "RemoveContainer": ({"container_id": (1, str)}, {}),
    "ExecSync": ({"container_id": (1, str), "cmd": (2, [str]), "timeout": (3, int)},
                 {"stdout": (1, bytes), "stderr": (2, bytes), "exit_code": (3, int)}),
}


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def encode_field(number, kind, value):
    if kind == MAP:
        entry = {"key": (1, str), "value": (2, str)}
        return b"".join(encode_field(number, entry, {"key": k, "value": v}) for k, v in value.items())
    if isinstance(kind, list):
        return b"".join(encode_field(number, kind[0], item) for item in value)
    if kind in (int, bool):
        return varint(number << 3) + varint(int(value)) if value else b""
    data = encode(kind, value) if isinstance(kind, dict) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def encode(fields, message):
    unknown = set(message) - set(fields)
    if unknown:
        raise SystemExit(f"cri.py: unknown fields: {sorted(unknown)}")
    return b"".join(encode_field(*fields[name], value) for name, value in message.items())


def read_varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return number, at


def decode(fields, data):
    """Fields of types that the answers have; all others are passed over."""
    names = {number: (name, kind) for name, (number, kind) in fields.items()}
    message, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise SystemExit(f"cri.py: a field of wire type {tag & 7}")
        name, kind = names.get(tag >> 3, (None, None))
        if name:
            message[name] = value.decode() if kind is str else value
    return message


class Runtime:
    def __init__(self, socket):
        import grpc  # for these commands alone
        self.error = grpc.RpcError
        self.channel = grpc.insecure_channel(f"unix://{socket}")

    def call(self, method, **message):
        request, response = METHODS[method]
        rpc = self.channel.unary_unary(f"/runtime.v1.RuntimeService/{method}",
                                       request_serializer=lambda m: encode(request, m),
                                       response_deserializer=lambda data: decode(response, data))
        return rpc(message, timeout=60)

    def run(self, pod):
        sandbox = pod.get("sandbox", {})
        # What it says is told by its exit code, 0 for what isn't there.
        created = self.call("RunPodSandbox", config=sandbox, runtime_handler=pod.get("handler", ""))
        sandbox_id = created["pod_sandbox_id"]
        try:
            container_id = self.call("CreateContainer", pod_sandbox_id=sandbox_id, config=pod["container"],
                                     sandbox_config=sandbox)["container_id"]
            self.call("StartContainer", container_id=container_id)
            answer = self.call("ExecSync", container_id=container_id, cmd=pod["exec"], timeout=30)
            # At once: CRI-O waits for those that don't heed SIGTERM.
            self.call("StopContainer", container_id=container_id)
            return answer
        finally:
            self.call("StopPodSandbox", pod_sandbox_id=sandbox_id)
            self.call("RemovePodSandbox", pod_sandbox_id=sandbox_id)


def add(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def write_image(directory, name):
    layer = subprocess.run(["tar", "-C", directory, "-c", "."], check=True, stdout=subprocess.PIPE).stdout
    config = json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(__import__("os").uname().machine, "amd64"),
        "os": "linux",
        "config": {"Entrypoint": ["sleep", "1000000"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }).encode()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        add(archive, "config.json", config)
        add(archive, "layer.tar", layer)
        add(archive, "manifest.json",
            json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode())


def main():
    if sys.argv[1] == "image":
        write_image(sys.argv[2], sys.argv[3])
        return 0
    runtime = Runtime(sys.argv[1])
    try:
        if sys.argv[2] == "version":
            answer = runtime.call("Version", version="v1")
            print(answer["runtime_name"], answer["runtime_version"])
            return 0
        answer = runtime.run(json.load(sys.stdin))
    except runtime.error as error:
        print(f"{error.code().name}: {error.details()}", file=sys.stderr)
        return 125
    sys.stdout.buffer.write(answer.get("stdout", b""))
    sys.stderr.buffer.write(answer.get("stderr", b""))
    return answer.get("exit_code", 0)


if __name__ == "__main__":
    sys.exit(main())
