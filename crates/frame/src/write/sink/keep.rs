//! The attributes of a file besides its bytes, given to the one that replaces it.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::fs::Permissions;
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

/// The bits of a mode that can be set.
#[cfg(unix)]
const MODE: u32 = 0o7777;

/// Gives a file the attributes of the one at `path`, of which `before` is known. These are owner and group as far as
/// the process may set them, extended attributes, and the mode, without rights for anybody who had none.
///
/// # Errors
/// When the mode cannot be set.
#[cfg(unix)]
pub(super) fn like(file: &File, path: &Path, before: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    let owner = now.uid() == before.uid() || fchown(file, Some(before.uid()), None).is_ok();
    let group = now.gid() == before.gid() || fchown(file, None, Some(before.gid())).is_ok();
    let listed = attributes::copy(path, file);
    let mut mode = before.mode() & MODE;
    if !owner {
        mode &= !0o4000;
    }
    if !group || !listed {
        // Another group, or no list that bounds what the group may: it may what all may.
        mode = (mode & !0o2070) | (mode & ((mode & 0o007) << 3));
    }
    with_mode(file, mode)
}

/// Sets a file's mode.
///
/// # Errors
/// When it is another, and cannot be set.
#[cfg(unix)]
pub(super) fn with_mode(file: &File, mode: u32) -> io::Result<()> {
    if file.metadata()?.mode() & MODE == mode & MODE {
        return Ok(());
    }
    file.set_permissions(Permissions::from_mode(mode & MODE))
}

#[cfg(not(unix))]
pub(super) fn like(_: &File, _: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn with_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod attributes {
    use std::ffi::CStr;
    use std::fs::File;
    use std::path::Path;

    use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, lgetxattr, llistxattr};
    use rustix::io::Errno;

    /// The most bytes that the names of a file's attributes, and the value of one, take.
    const MOST: usize = 64 << 10;
    /// The access control list.
    const LIST: &CStr = c"system.posix_acl_access";
    /// About the old file's bytes, or for nobody but the system.
    const LEFT_OUT: [&[u8]; 4] = [b"security.capability", b"security.ima", b"security.evm", b"trusted."];

    /// Copies attributes as far as the process may. False if the file has not got the same access control list.
    pub(super) fn copy(from: &Path, to: &File) -> bool {
        let (mut names, mut value) = (vec![0u8; MOST], vec![0u8; MOST]);
        let listed = copy_list(from, to, &mut value);
        let Ok(len) = llistxattr(from, names.as_mut_slice()) else { return listed };
        // The system reports no more than fits into `names`.
        for name in names.get(..len).unwrap_or_default().split_inclusive(|byte| *byte == 0) {
            let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
            if name == LIST || LEFT_OUT.iter().any(|left_out| name.to_bytes().starts_with(left_out)) {
                continue;
            }
            if let Ok(len) = lgetxattr(from, name, value.as_mut_slice())
                && let Some(value) = value.get(..len)
            {
                // Attributes that the system does not let this process set are the system's own.
                let _ = fsetxattr(to, name, value, XattrFlags::empty());
            }
        }
        listed
    }

    fn copy_list(from: &Path, to: &File, value: &mut [u8]) -> bool {
        match lgetxattr(from, LIST, &mut *value) {
            Ok(len) => {
                // Never an empty list in place of one that did not fit.
                value.get(..len).is_some_and(|value| fsetxattr(to, LIST, value, XattrFlags::empty()).is_ok())
            },
            // None: not even the one that the folder gives to new files.
            Err(Errno::NODATA) => matches!(fremovexattr(to, LIST), Ok(()) | Err(Errno::NODATA)),
            Err(_) => true,
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod attributes {
    pub(super) fn copy(_: &std::path::Path, _: &std::fs::File) -> bool {
        true
    }
}
