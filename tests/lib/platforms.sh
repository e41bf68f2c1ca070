# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # variables of other files; functions that are called by their names
# What is otherwise than usual on the fake hosts of WSL2 and Jetson: each function changes $host, and its
# configuration. Needs place.sh.

edit_configuration() { # JQ-FILTER
	jq "$1" < "$host/davit.json" > "$work/davit.json"
	cat "$work/davit.json" > "$host/davit.json"
}

# --- WSL2 ------------------------------------------------------------------------------------------

wsl_drivers() { printf '%s\n' "$host/driver/usr/lib/wsl/drivers"; }
wsl_store() { printf '%s\n' "$(wsl_drivers)/nv_fake.inf_amd64_0123456789abcdef"; }
wsl_no_node() { rm "$host/dev/dxg"; }
# An older driver of Windows' before the one in use: it has a libcuda of its own.
wsl_two_stores() {
	local old
	old=$(wsl_drivers)/nv_dispi.inf_amd64_0000000000000000
	mkdir "$old"
	cp "$(wsl_store)/libcuda.so.1.1" "$old/"
	cp "$(wsl_store)/libcuda.so.1.1" "$old/libcuda_loader.so"
}
# Nothing tells them apart but the bytes: hard links don't outlive a copy.
wsl_copied_library() {
	wsl_two_stores
	cp --remove-destination "$(wsl_store)/libcuda_loader.so" "$host/driver/usr/lib/wsl/lib/libcuda.so.1"
}
wsl_ambiguous() {
	wsl_two_stores
	printf 'of another driver' > "$host/driver/usr/lib/wsl/lib/libcuda.so.1.new"
	mv -f "$host/driver/usr/lib/wsl/lib/libcuda.so.1.new" "$host/driver/usr/lib/wsl/lib/libcuda.so.1"
}
wsl_only_amd() { rm -r "$(wsl_store)"; }
wsl_no_stores() { rm -r "$(wsl_drivers)"; }
wsl_old_driver() { rm "$(wsl_store)/libnvdxgdmal.so.1"; }
wsl_no_dxcore() { rm "$host/driver/usr/lib/wsl/lib/libdxcore.so"; }
wsl_no_nvml() { rm "$(wsl_store)/libnvidia-ml.so.1"; }
wsl_loader_cache() { : > "$host/driver/etc/ld.so.cache"; }
wsl_evil_links() {
	ln -s /etc/passwd "$(wsl_store)/evil.so"
	ln -s ../u0777777.inf_amd64_fedcba9876543210/amdxc64.so "$(wsl_store)/other.so"
	ln -s libnvidia-gpucomp.so "$(wsl_store)/beside.so"
	mkdir "$(wsl_store)/folder.so"
}
# Windows' drivers have folders of their own beside the libraries.
wsl_folder() {
	mkdir "$(wsl_store)/Display.NvContainer"
	printf 'of Windows' > "$(wsl_store)/Display.NvContainer/nvcontainer.dll"
}
# With an entry that others can write, the store isn't mounted as one directory.
wsl_hidden_entry() {
	: > "$(wsl_store)/.hidden"
	chmod 0666 "$(wsl_store)/.hidden"
}
# As people mend `libcuda.so.1 is not a symbolic link`.
wsl_replaced_by_links() {
	local lib=$host/driver/usr/lib/wsl/lib
	rm "$lib/libcuda.so" "$lib/libcuda.so.1"
	ln -s libcuda.so.1.1 "$lib/libcuda.so.1"
	ln -s libcuda.so.1 "$lib/libcuda.so"
	mkdir "$lib"2
	ln -s ../lib/libcuda.so.1 "$lib"2/libcuda.so.1
}
# The shim is in /usr/lib/wsl/lib alone.
wsl_no_shim() { rm "$(wsl_store)/libcuda_loader.so"; }
wsl_writable_store() { chmod 0777 "$(wsl_store)"; }
wsl_writable_library() { chmod 0777 "$host/driver/usr/lib/wsl/lib"; }

# WSL1: Windows' kernel, which has no GPU.
wsl_first() {
	rm -r "$host/proc/driver/nvidia"
	mkdir -p "$host/proc/sys/kernel"
	printf '4.4.0-22621-Microsoft\n' > "$host/proc/sys/kernel/osrelease"
}

# --- Jetson ----------------------------------------------------------------------------------------

tegra_lib() { printf '%s\n' "$host/driver/usr/lib/aarch64-linux-gnu"; }
tegra_lists() { printf '%s\n' "$host/driver/etc/nvidia-container-runtime/host-files-for-container.d"; }
tegra_no_release() { rm "$host/driver/etc/nv_tegra_release" "$host/sys/firmware/devicetree/base/compatible"; }
tegra_no_lists() { rm -r "$(tegra_lists)"; }
tegra_no_nodes() { rm -r "${host:?}/dev"; mkdir "$host/dev"; }
# The memory manager came up, the GPU didn't.
tegra_only_nvmap() { find "$host/dev" -type c ! -name nvmap ! -name 'v4l2*' -delete; }
tegra_no_nvml() { find "$host/driver" -name 'libnvidia-ml*' -delete; }
tegra_nvml_fails() { : > "$(tegra_lib)/nvidia/libnvidia-ml.so.1"; }
tegra_no_libcuda() { sed -i /libcuda/d "$(tegra_lists)/drivers.csv"; }
tegra_other_folder() { mv "$host/dev/nvgpu/igpu0" "$host/dev/nvgpu/igpu-0000:01:00.0"; }
tegra_nothing() { rm -r "${host:?}"/{driver,proc,dev,sys}/*; }
tegra_dangerous() {
	mknod -m 600 "$host/dev/mem" c 1 1
	mknod -m 660 "$host/dev/ttyTHS1" c 204 1
	printf 'dev, /dev/mem\ndev, /dev/ttyTHS*\ndev, /dev/../dev/mem\ndir, /home\ndir, /\nlib, ../../../etc/shadow\n' >> "$(tegra_lists)/drivers.csv"
	mkdir -p "$host/driver/home" && : > "$host/driver/etc/shadow"
	edit_configuration '.policy."csv-allow" = ["/dev/ttyTHS*"]'
}
tegra_writable_list() { chmod 0666 "$(tegra_lists)/drivers.csv"; }
tegra_users_list() { chown 1000 "$(tegra_lists)"; }
tegra_users_library() { chown 1000 "$(tegra_lib)/nvidia/libnvargus.so"; }
tegra_no_debug() { edit_configuration '.policy."csv-debug" = false'; }
tegra_no_mounts() { edit_configuration '.policy."csv-mounts" = false'; }
# The smallest board there is: one node, two libraries.
tegra_one_node() {
	printf 'dev, /dev/nvidia0\n' > "$(tegra_lists)/devices.csv"
	printf 'lib, %s\n' /usr/lib/aarch64-linux-gnu/nvidia/{libcuda.so.1.1,libnvidia-ml.so.1} > "$(tegra_lists)/drivers.csv"
	rm "$host/driver/etc/nv_tegra_release"
}
tegra_other_compat() {
	tegra_one_node
	edit_configuration '.driver."csv-compat" = "/another/compat/root"'
}
# The driver's files are in one tree, the nodes in another.
tegra_split_roots() {
	mkdir "$host/other"
	mv "$host/dev" "$host/other/dev"
	printf 'dev, /dev/nvidia0\ndev, /dev/nvidiactl\n' > "$(tegra_lists)/devices.csv"
	edit_configuration '.driver.dev = (.driver.dev | sub("/dev$"; "/other/dev"))'
}
tegra_ignore() { edit_configuration ".driver.\"csv-ignore\" = [\"$1\"]"; }
tegra_ignore_path() { tegra_ignore '*.so'; }
tegra_ignore_names() { tegra_ignore '**/*.so'; }
tegra_ignore_versions() { tegra_ignore '**/*.so.[0-9]'; printf 'sym, %s\n' /usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1 >> "$(tegra_lists)/drivers.csv"; }
# A list of another kind: upper case, patterns of files and directories, names without /dev, a byte order mark.
tegra_odd_lists() {
	mv "$(tegra_lists)/cuda.csv" "$(tegra_lists)/CUDA.CSV"
	printf '\xef\xbb\xbfdev, /dev/nvmap\n\tdev ,nvhost-gpu\nDEV, /dev/mem\nenv, A=1\ndev-char, /dev/mem\nlib, /usr/lib/aarch64-linux-gnu/*/libnv[ab]*.so\n,\ndir, /usr/local/cuda-*\n' \
		> "$(tegra_lists)/odd.csv"
	: > "$(tegra_lists)/.csv"
	mkdir "$(tegra_lists)/folder.csv"
}
# A board that nobody knows by its names: another chip, another model, the GPU with a name of its own.
tegra_odd_board() {
	printf 'nvidia,p9999\0nvidia,tegra999\0' > "$host/sys/firmware/devicetree/base/compatible"
	printf 'A board; $(reboot)\n\x1b[31m\0' > "$host/sys/firmware/devicetree/base/model"
	sed -i 's/NVIDIA Thor/NVIDIA Vega T9000/' "$host"/proc/driver/nvidia/gpus/*/information
}
# The discrete GPUs alone are in use: the chip's own has no node.
tegra_chip_off() {
	find "$host/dev" -path '*nvgpu*' -delete
	find "$host/dev" -name 'nvhost-*gpu' -delete
	rm -f "$host/dev/nvidia0"
}

# --- a server --------------------------------------------------------------------------------------

# Somebody copied WSL2's library there.
stray_dxcore() {
	mkdir -p "$host/driver/usr/lib/wsl/lib"
	cp "$host"/driver/lib64/libcuda.so.580.* "$host/driver/usr/lib/wsl/lib/libdxcore.so"
}
