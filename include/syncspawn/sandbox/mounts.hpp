#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <syncspawn/launcher/step.hpp>

/// Mounts: the file tree that the program sees, laid out operation by operation.
///
///     #include <syncspawn/launcher.hpp>
///     #include <syncspawn/sandbox/mounts.hpp>
///     #include <syncspawn/steps.hpp>
///
///     using syncspawn::Namespaces;
///     using syncspawn::sandbox::Mount;
///
///     int main() {
///         syncspawn::SyncedSpawner spawner(
///             {.program = "sh",
///              .arguments = {"-c", "test -e /etc/passwd && ! touch /etc/x 2>/dev/null && touch /tmp/x"},
///              .birth = {.namespaces = Namespaces::user | Namespaces::mount | Namespaces::pid}});
///         spawner.step(syncspawn::steps::map_caller());
///         spawner.step(syncspawn::sandbox::mounts(
///             {Mount::bind("/", "/"), Mount::proc("/proc"), Mount::devices("/dev"), Mount::tmpfs("/tmp")}));
///         return spawner.spawn().wait().shell_code();
///     }
///
/// The program sees the host's files read-only, and has a /proc, a /dev and a /tmp of its own.
///
/// The operations apply in order: a later one covers what an earlier one has put in its place. Sources are
/// paths of the host; destinations are paths of the new tree, whose symbolic links lead nowhere out of it.
/// Missing mount points, and the directories above them (0755), are made where the tree is the sandbox's own;
/// nothing is made in a tree of the host, unless MountOptions::host_files says so.
///
/// The child must be in a mount namespace of its own (`birth.namespaces`), and have CAP_SYS_ADMIN there: it is
/// root's child, or in a user namespace whose id map is written (steps::map_caller()). Memory may be shared. Before
/// Linux 5.12 (mount_setattr(2)), and where a filter refuses the newer calls, mount(2) does the same; that takes a
/// /proc. Everything of the host's tree is out of reach afterwards (pivot_root(2)), and the working directory is the
/// same path in the new tree or, where there is none, the root.

namespace syncspawn::sandbox {

/// What a bind allows beside reading. None of them honours set-user-ID bits.
enum class BindAccess {
    read_only,  ///< nothing is written, no device opened
    writable,   ///< no device is opened
    devices,    ///< files are written, devices opened
};

/// What to do about a source that does not exist when mounts() is called. To that belongs what no path leads to: a
/// namespace behind its link in /proc (but not in /proc/self/ns, which is for the child to look into), a deleted file.
enum class MissingSource { refuse, skip };

/// What a new /proc shows of the kernel. `masked` makes bus, fs, irq, sys and sysrq-trigger read-only, and covers
/// acpi, asound, kcore, keys, latency_stats, sched_debug, scsi, timer_list and timer_stats. It is needed even
/// without capabilities: user 0 of the host may write /proc/sys from within any namespace.
enum class KernelFiles { masked, open };

/// What to do where the kernel refuses a new /proc (EPERM), as in a container, whose own has covered parts.
enum class RefusedProc {
    fail,
    bind_existing,  ///< the host's, read-only; it shows the processes of its own pid namespace
};

/// Which of the two is protected where the destination is a symbolic link: what it leads to, or the link.
enum class LastLink { followed, itself };

/// Whether symbolic links in the source of a bind and on the way to the destination are followed. For paths that
/// have none, `refused` makes sure that none has come to be since: the operation fails (ELOOP).
enum class PathLinks { followed, refused };

/// One operation. Plain data: Mount makes it, and any member can be changed afterwards.
struct FileOperation {
    enum class Kind {
        bind,
        tmpfs,
        proc,
        devices,
        mqueue,
        overlay,
        directory,
        symlink,
        file,
        data,
        chmod,
        remount_read_only,
        hide,
        protect,
        pin,
    };
    Kind kind = Kind::bind;
    std::string destination{};  ///< absolute, without ".."
    std::string source{};       ///< of a bind: a path of the host; of a symbolic link: what it says
    /// Of a bind: the source, instead of a path. Of `devices`: the console. Borrowed by mounts().
    int descriptor = -1;
    BindAccess access = BindAccess::read_only;  ///< of a bind, and of `data`
    /// Of a bind. With `skip`, a `protect` of nothing is nothing, too.
    MissingSource missing_source = MissingSource::refuse;
    std::optional<mode_t> mode{};  ///< of what is made
    std::optional<std::uint64_t>
        size{};  ///< of a tmpfs, or of devices, in bytes; not set: half of the machine's memory
    std::string text{};  ///< what a file contains
    KernelFiles kernel_files = KernelFiles::masked;
    RefusedProc refused_proc = RefusedProc::fail;
    LastLink last_link = LastLink::followed;  ///< of `protect`
    std::vector<std::string> layers{};        ///< of an overlay: the lowest first
    std::string upper{};                      ///< of an overlay: where writes go; empty: nowhere
    std::string work{};                       ///< of an overlay: an empty directory beside `upper`
    bool keeps_writes_in_memory = false;      ///< of an overlay: writes vanish with the sandbox
    PathLinks path_links = PathLinks::followed;
};

/// Makes operations.
struct SYNCSPAWN_API Mount {
    /// A file or directory of the host, with all that is mounted below it: read-only, writable, with devices. A
    /// source that has become another file by the time of the launch fails it (ESTALE). A source in /proc/self/ns is a
    /// namespace of the child.
    [[nodiscard]] static FileOperation bind(std::string source, std::string destination,
                                            MissingSource missing = MissingSource::refuse);
    [[nodiscard]] static FileOperation bind_writable(std::string source, std::string destination,
                                                     MissingSource missing = MissingSource::refuse);
    [[nodiscard]] static FileOperation bind_devices(std::string source, std::string destination,
                                                    MissingSource missing = MissingSource::refuse);
    /// The same, from a descriptor.
    [[nodiscard]] static FileOperation bind(int descriptor, std::string destination,
                                            BindAccess access = BindAccess::read_only);
    /// An empty directory in memory, with mode 0755.
    [[nodiscard]] static FileOperation tmpfs(std::string destination);
    /// The /proc of the child's pid namespace.
    [[nodiscard]] static FileOperation proc(std::string destination,
                                            RefusedProc refused = RefusedProc::fail);
    /// A minimal /dev: null, zero, full, random, urandom and tty of the host, a new pts with ptmx, shm, and the
    /// links fd, stdin, stdout, stderr. The terminal that `console` has open is console; if that is -1, this
    /// process's standard output, if it is a terminal.
    [[nodiscard]] static FileOperation devices(std::string destination, int console = -1);
    /// The message queues of the child's ipc namespace.
    [[nodiscard]] static FileOperation mqueue(std::string destination);
    /// Directories of the host, one over the other, the lowest first: writes go to `upper`, which needs an empty
    /// `work` on the same file system; or vanish; or are refused, which takes two layers.
    [[nodiscard]] static FileOperation overlay(std::vector<std::string> layers, std::string upper,
                                               std::string work, std::string destination);
    [[nodiscard]] static FileOperation temporary_overlay(std::vector<std::string> layers,
                                                         std::string destination);
    [[nodiscard]] static FileOperation read_only_overlay(std::vector<std::string> layers,
                                                         std::string destination);
    /// A directory. One that is there keeps its mode.
    [[nodiscard]] static FileOperation directory(std::string destination, mode_t mode = 0755);
    /// A symbolic link. One that is there must say the same.
    [[nodiscard]] static FileOperation symlink(std::string target, std::string destination);
    /// A new file with this content; the umask applies. One that is there is refused, or with
    /// HostFiles::may_change written over.
    [[nodiscard]] static FileOperation file(std::string text, std::string destination,
                                            mode_t mode = 0666);
    /// A file with this content, in memory, over what is there.
    [[nodiscard]] static FileOperation data(std::string text, std::string destination,
                                            BindAccess access = BindAccess::read_only,
                                            mode_t mode = 0600);
    /// All that can be read from a descriptor until its end: the text for `file` and `data`. Throws std::system_error.
    [[nodiscard]] static std::string text_from(int descriptor);
    [[nodiscard]] static FileOperation chmod(mode_t mode, std::string destination);
    /// The mount whose root this is becomes read-only; those below it do not.
    [[nodiscard]] static FileOperation remount_read_only(std::string destination);
    /// An empty cover, which nobody without capabilities may read. What is not there needs none.
    [[nodiscard]] static FileOperation hide(std::string destination);
    /// What is there becomes read-only, with all below it, and cannot be removed or renamed. But a directory
    /// above it can, if it is writable, and another be put in its place: pin those.
    [[nodiscard]] static FileOperation protect(std::string destination,
                                               LastLink link = LastLink::followed);
    /// What is there cannot be removed or renamed, and is otherwise as it was.
    [[nodiscard]] static FileOperation pin(std::string destination);
};

/// What the operations begin with.
enum class NewRoot {
    empty,      ///< an empty directory in memory
    host_tree,  ///< the host's, as Mount::bind("/", "/") makes it
};

/// Whether an operation may make or change files in a tree of the host that is bound writable.
enum class HostFiles { untouched, may_change };

struct MountOptions {
    NewRoot root = NewRoot::empty;
    HostFiles host_files = HostFiles::untouched;
};

/// Lays the tree out. Everything is checked, and every source looked up, by this call: it throws
/// std::invalid_argument for what makes no sense, and std::system_error for a source that cannot be had. An error
/// of the launch names the operation, its paths and the call.
[[nodiscard]] SYNCSPAWN_API Step mounts(const std::vector<FileOperation>& operations,
                                        MountOptions options = {});

/// Takes the operations out whose source is missing and may be (MissingSource::skip), and returns them: mounts()
/// skips them without a word.
[[nodiscard]] SYNCSPAWN_API std::vector<FileOperation> take_missing(
    std::vector<FileOperation>& operations);

}  // namespace syncspawn::sandbox
