//! Attributes that a replaced file had and the new one has: its mode, owner, lists and attributes.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("metadata").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of one's own");
}

/// Writes in one go, or with pauses.
fn write(path: &Path, parks: bool) {
    let mut file = AtomicFile::create(path).expect("a writable folder");
    for bytes in ["new ", "bytes"] {
        file.write_all(bytes.as_bytes()).expect("a writable file");
        if parks {
            file.park();
        }
    }
    file.commit().expect("a commit");
    assert_eq!(fs::read(path).expect("a file"), b"new bytes");
}

/// The attributes of a file made by `std`.
fn default_mode(folder: &Path) -> u32 {
    let path = folder.join("by std");
    fs::write(&path, b"").expect("a writable folder");
    let mode = mode(&path);
    fs::remove_file(path).expect("a file");
    mode
}

#[test]
fn new_files_have_the_mode_of_new_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let default = default_mode(folder.path());
    for parks in [false, true] {
        let path = folder.path().join(format!("new-{parks}"));
        write(&path, parks);
        assert_eq!(mode(&path), default);
    }
}

#[test]
fn the_mode_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    fs::write(&path, b"old").expect("a writable folder");
    for kept in [0o600, 0o640, 0o644, 0o664, 0o666, 0o755, 0o777, 0o400, 0o444, 0o4755, 0o2755, 0o1644] {
        for parks in [false, true] {
            set_mode(&path, kept);
            write(&path, parks);
            assert_eq!(mode(&path), kept, "{kept:o} has become {:o}", mode(&path));
        }
    }
}

#[test]
fn what_is_under_way_is_for_nobody_else_to_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    fs::write(&path, b"old").expect("a writable folder");
    set_mode(&path, 0o600);
    let mut file = AtomicFile::create(&path).expect("a writable folder");
    file.write_all(b"secret").expect("a writable file");
    file.park();
    let names = names(folder.path());
    assert_eq!(names.len(), 2);
    names.iter().for_each(|name| assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}"));
}

#[test]
fn another_name_has_a_mode_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let default = default_mode(folder.path());
    let [first, new, old] = ["first", "new", "old"].map(|name| folder.path().join(name));
    for path in [&first, &old] {
        fs::write(path, b"old").expect("a writable folder");
    }
    set_mode(&first, 0o600);
    set_mode(&old, 0o640);
    for (target, expected) in [(&new, default), (&old, 0o640)] {
        for parks in [false, true] {
            let mut file = AtomicFile::create(&first).expect("a writable folder");
            file.write_all(b"bytes").expect("a writable file");
            if parks {
                file.park();
            }
            file.commit_as(target).expect("a commit");
            assert_eq!(mode(target), expected, "{}", target.display());
        }
    }
    // Removed meanwhile, a file comes back as it was.
    let file = AtomicFile::create(&first).expect("a writable folder");
    fs::remove_file(&first).expect("a file");
    file.commit().expect("a commit");
    assert_eq!(mode(&first), 0o600);
}

/// Only root may give files away.
#[test]
fn owner_and_group_are_kept_where_that_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    fs::write(&path, b"old").expect("a writable folder");
    if chown(&path, Some(12_345), Some(23_456)).is_err() {
        floe_tests::run::say("owner and group: this user may not give files away, not tried");
        return;
    }
    set_mode(&path, 0o640);
    for parks in [false, true] {
        write(&path, parks);
        let found = fs::metadata(&path).expect("metadata");
        assert_eq!((found.uid(), found.gid(), mode(&path)), (12_345, 23_456, 0o640));
    }
}

#[cfg(target_os = "linux")]
mod attributes {
    use rustix::fs::{XattrFlags, getxattr, setxattr};

    use super::*;

    /// `user::rw-, user:12345:rw-, group::---, mask::rw-, other::---`, as the system keeps it.
    const LIST: [u8; 44] = {
        let entries: [(u16, u16, u32); 5] =
            [(1, 6, u32::MAX), (2, 6, 12_345), (4, 0, u32::MAX), (16, 6, u32::MAX), (32, 0, u32::MAX)];
        let mut list = [0; 44];
        list[0] = 2;
        let mut i = 0;
        while i < entries.len() {
            let (tag, rights, id) = entries[i];
            let (tag, rights, id) = (tag.to_le_bytes(), rights.to_le_bytes(), id.to_le_bytes());
            let entry = [tag[0], tag[1], rights[0], rights[1], id[0], id[1], id[2], id[3]];
            let mut j = 0;
            while j < 8 {
                list[4 + 8 * i + j] = entry[j];
                j += 1;
            }
            i += 1;
        }
        list
    };
    const ACCESS: &str = "system.posix_acl_access";

    fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
        let mut value = vec![0; 1 << 16];
        let len = getxattr(path, name, value.as_mut_slice()).ok()?;
        value.truncate(len);
        Some(value)
    }

    /// False, which is said, if the filesystem has no such thing.
    fn set(path: &Path, name: &str, value: &[u8]) -> bool {
        let set = setxattr(path, name, value, XattrFlags::empty()).is_ok();
        if !set {
            floe_tests::run::say(&format!("{name}: not on this filesystem, not tried"));
        }
        set
    }

    #[test]
    fn lists_and_attributes_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.arrow");
        fs::write(&path, b"old").expect("a writable folder");
        let large = vec![7; 1000];
        let has_attributes = set(&path, "user.origin", b"a trial") && set(&path, "user.large", &large);
        let has_lists = set(&path, ACCESS, &LIST);
        for parks in [false, true] {
            write(&path, parks);
            if has_attributes {
                assert_eq!(get(&path, "user.origin").expect("the attribute"), b"a trial");
                assert_eq!(get(&path, "user.large").expect("the attribute"), large);
            }
            if has_lists {
                assert_eq!(get(&path, ACCESS).expect("the list"), LIST);
                assert_eq!(mode(&path), 0o660, "the group's bits are the mask");
            }
        }
    }

    /// The list that a folder gives to new files is not for one that had none.
    #[test]
    fn a_folder_with_a_list_for_new_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let [old, new, by_std] = ["old", "new", "std"].map(|name| folder.path().join(name));
        fs::write(&old, b"old").expect("a writable folder");
        set_mode(&old, 0o600);
        if !set(folder.path(), "system.posix_acl_default", &LIST) {
            return;
        }
        for parks in [false, true] {
            write(&old, parks);
            assert_eq!((mode(&old), get(&old, ACCESS)), (0o600, None));
        }
        write(&new, false);
        fs::write(&by_std, b"").expect("a writable folder");
        assert_eq!((mode(&new), get(&new, ACCESS)), (mode(&by_std), get(&by_std, ACCESS)));
    }
}
