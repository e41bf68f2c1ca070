# SPDX-License-Identifier: Apache-2.0
# The packages that `cpack -G DEB` and `cpack -G RPM` make of a build whose prefix is /usr
# (docs/packaging.md): davit, and davit-nvidia-compat and davit-amd-compat with the links under these
# vendors' names.
set(DAVIT_PACKAGER "davit maintainers <davit@localhost>" CACHE STRING "Whom packages name as maintainer")

set(package_files ${CMAKE_CURRENT_BINARY_DIR}/packages)
set(package_source ${CMAKE_CURRENT_LIST_DIR}/packages)
# The time in packages is that of the last commit, so that two builds of it are the same. The files of
# an archive of a commit have that time.
set(DAVIT_SOURCE_DATE "$ENV{SOURCE_DATE_EPOCH}")
if(NOT DAVIT_SOURCE_DATE)
  execute_process(COMMAND git -c safe.directory=${PROJECT_SOURCE_DIR} -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct
                  OUTPUT_VARIABLE DAVIT_SOURCE_DATE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT DAVIT_SOURCE_DATE)
  file(TIMESTAMP ${PROJECT_SOURCE_DIR}/CMakeLists.txt DAVIT_SOURCE_DATE "%s" UTC)
endif()
set(ENV{SOURCE_DATE_EPOCH} ${DAVIT_SOURCE_DATE})
string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(TIMESTAMP package_day "%a %b %d %Y" UTC)

# --- files that only packages have ---------------------------------------------------------------

find_program(GZIP gzip)
foreach(package davit davit-nvidia-compat davit-amd-compat)
  set(directory ${package_files}/${package})
  file(MAKE_DIRECTORY ${directory})
  configure_file(${package_source}/changelog.in ${directory}/changelog @ONLY)
  set(documents ${package_source}/copyright)
  if(GZIP)
    execute_process(COMMAND ${GZIP} -9nf ${directory}/changelog)
    list(APPEND documents ${directory}/changelog.gz)
  endif()
  install(FILES ${documents} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
          COMPONENT ${package} EXCLUDE_FROM_ALL)
endforeach()
install(FILES ${package_source}/lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
        RENAME davit COMPONENT davit EXCLUDE_FROM_ALL)
# All at its defaults. A plain `cmake --install` writes nothing into /etc.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  install(FILES ${PROJECT_SOURCE_DIR}/config/config.json DESTINATION /etc/davit
          COMPONENT davit EXCLUDE_FROM_ALL)
endif()

# --- both kinds ----------------------------------------------------------------------------------

set(CPACK_PACKAGE_NAME davit)
set(CPACK_PACKAGE_VENDOR davit)
set(CPACK_PACKAGE_CONTACT "${DAVIT_PACKAGER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_COMPONENTS_ALL davit davit-nvidia-compat davit-amd-compat)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON)
set(CPACK_PROJECT_CONFIG_FILE ${package_files}/cpack.cmake)
# Without these programs CPack would make a .deb that depends on nothing.
file(WRITE ${package_files}/cpack.cmake "set(ENV{SOURCE_DATE_EPOCH} ${DAVIT_SOURCE_DATE})
find_program(shlibdeps dpkg-shlibdeps)
find_program(file file)
if(CPACK_GENERATOR STREQUAL DEB AND NOT (shlibdeps AND file))
  message(FATAL_ERROR \"cannot find a .deb's dependencies: dpkg-shlibdeps or file is missing (fix: apt install dpkg-dev file)\")
endif()
")
configure_file(${package_source}/prepare.cmake.in ${package_files}/prepare.cmake @ONLY)
set(CPACK_PRE_BUILD_SCRIPTS ${package_files}/prepare.cmake)
set(davit_summary "${PROJECT_DESCRIPTION}")
set(CPACK_COMPONENT_DAVIT_DESCRIPTION "\
An OCI hook and a runtime that put device nodes, driver libraries, nvidia-smi
and device rules into containers, for Docker, containerd, Podman and CRI-O.
Installing it changes no engine: davit configure does, when it is called.")
set(compat_summary_NVIDIA "davit under the names of NVIDIA's container toolkit")
set(CPACK_COMPONENT_DAVIT-NVIDIA-COMPAT_DESCRIPTION "\
Links by which engines and launchers that look for the programs of NVIDIA's
container toolkit find those of davit, among them the hook that
docker run --gpus needs.")
set(replaced_NVIDIA nvidia-container-toolkit nvidia-container-toolkit-base nvidia-container-runtime
                    nvidia-container-runtime-hook libnvidia-container-tools)
set(compat_summary_AMD "davit under the names of AMD's container toolkit")
set(CPACK_COMPONENT_DAVIT-AMD-COMPAT_DESCRIPTION "\
Links by which Docker and scripts that look for the programs of AMD's container
toolkit find those of davit: amd-container-runtime and amd-ctk.")
set(replaced_AMD amd-container-toolkit)

# --- .deb ----------------------------------------------------------------------------------------

set(deb_architecture_x86_64 amd64)
set(deb_architecture_aarch64 arm64)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${deb_architecture_${CMAKE_SYSTEM_PROCESSOR}})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${DAVIT_PACKAGER}")
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DAVIT_PACKAGE_NAME davit)
set(CPACK_DEBIAN_DAVIT_DESCRIPTION "${davit_summary}\n${CPACK_COMPONENT_DAVIT_DESCRIPTION}")
set(CPACK_DEBIAN_DAVIT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DAVIT_PACKAGE_SUGGESTS "davit-nvidia-compat, davit-amd-compat")
file(WRITE ${package_files}/conffiles "/etc/davit/config.json\n")
set(scripts postinst prerm postrm)
list(TRANSFORM scripts PREPEND ${package_source}/)
set(CPACK_DEBIAN_DAVIT_PACKAGE_CONTROL_EXTRA ${package_files}/conffiles ${scripts})
foreach(vendor NVIDIA AMD)
  string(TOLOWER davit-${vendor}-compat package)
  list(JOIN replaced_${vendor} ", " replaced_${vendor})
  set(deb CPACK_DEBIAN_DAVIT-${vendor}-COMPAT)
  set(${deb}_PACKAGE_NAME ${package})
  set(${deb}_DESCRIPTION "${compat_summary_${vendor}}\n${CPACK_COMPONENT_DAVIT-${vendor}-COMPAT_DESCRIPTION}")
  set(${deb}_PACKAGE_ARCHITECTURE all)
  set(${deb}_PACKAGE_DEPENDS "davit (= ${PROJECT_VERSION})")
  foreach(field CONFLICTS REPLACES PROVIDES)
    set(${deb}_PACKAGE_${field} "${replaced_${vendor}}")
  endforeach()
endforeach()

# --- .rpm ----------------------------------------------------------------------------------------

set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_ARCHITECTURE ${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_RPM_PACKAGE_LICENSE Apache-2.0)
file(WRITE ${package_files}/rpm-changelog "* ${package_day} ${DAVIT_PACKAGER} - ${PROJECT_VERSION}-1
- Version ${PROJECT_VERSION}; CHANGELOG.md of the source says what changed.
")
set(CPACK_RPM_CHANGELOG_FILE ${package_files}/rpm-changelog)
set(CPACK_RPM_DAVIT_PACKAGE_NAME davit)
set(CPACK_RPM_DAVIT_PACKAGE_SUMMARY "${davit_summary}")
set(CPACK_RPM_DAVIT_USER_FILELIST "%config(noreplace) /etc/davit/config.json")
set(CPACK_RPM_DAVIT_POST_INSTALL_SCRIPT_FILE ${package_source}/postinst)
set(CPACK_RPM_DAVIT_PRE_UNINSTALL_SCRIPT_FILE ${package_source}/prerm)
set(CPACK_RPM_DAVIT_POST_UNINSTALL_SCRIPT_FILE ${package_source}/postrm)
foreach(vendor NVIDIA AMD)
  string(TOLOWER davit-${vendor}-compat package)
  set(rpm CPACK_RPM_DAVIT-${vendor}-COMPAT)
  set(${rpm}_PACKAGE_NAME ${package})
  set(${rpm}_PACKAGE_ARCHITECTURE noarch)
  set(${rpm}_PACKAGE_SUMMARY "${compat_summary_${vendor}}")
  set(${rpm}_PACKAGE_REQUIRES "davit = ${PROJECT_VERSION}")
  # Not Obsoletes: an upgrade must not put davit in the place of what is installed.
  foreach(field CONFLICTS PROVIDES)
    set(${rpm}_PACKAGE_${field} "${replaced_${vendor}}")
  endforeach()
endforeach()
# Directories that belong to the system's own packages.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /usr/libexec /usr/lib/systemd
    /usr/lib/systemd/system /usr/lib/udev /usr/lib/udev/rules.d /usr/share/lintian /usr/share/lintian/overrides /usr/share/man /usr/share/man/man1 /usr/share/man/man5
    /usr/share/man/man8 /usr/share/bash-completion /usr/share/bash-completion/completions
    /usr/share/zsh /usr/share/zsh/site-functions /usr/share/zsh/vendor-completions
    /usr/share/fish /usr/share/fish/vendor_completions.d)
set(CPACK_RPM_SPEC_MORE_DEFINE "\
%define use_source_date_epoch_as_buildtime 1
%define clamp_mtime_to_source_date_epoch 1
%define _buildhost reproducible
%define _build_id_links none")

include(CPack)
