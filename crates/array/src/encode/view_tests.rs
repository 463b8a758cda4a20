//! Values of views that become offsets: those that stay where they are, and those that are copied.

use super::super::view::tests::{buffers, every};
use super::*;

fn joined(found: Option<EncodedBuffer>) -> Option<Vec<u8>> {
    found.map(|found| found.join().unwrap().as_slice().to_vec())
}

#[test]
fn values_that_follow_one_another_stay_where_they_are() {
    let buffers = buffers(3, 8_000);
    let mut views = every(&buffers, 1, 40);
    views.insert(0, View::default());
    views.insert(9, View::default());
    let found = in_place(&views, &buffers);
    assert!(matches!(&found, Some(EncodedBuffer::Whole(whole)) if whole.as_ptr() == buffers[1].as_ptr()));
    assert_eq!(joined(found).as_deref(), Some(buffers[1].as_slice()));
    // From within one buffer on to another, in any order of the buffers.
    let mut views = every(&buffers, 2, 50);
    views.drain(..5);
    views.extend(every(&buffers, 0, 100));
    let found = in_place(&views, &buffers);
    assert!(matches!(&found, Some(EncodedBuffer::Pieces(pieces)) if pieces.len() == 2));
    assert_eq!(joined(found), Some([&buffers[2][250..], &buffers[0]].concat()));
}

#[test]
fn all_else_is_copied() {
    let buffers = buffers(40, 8_000);
    let all = every(&buffers, 0, 40);
    let with = |at: usize, view: View| {
        let mut views = all.clone();
        views[at] = view;
        in_place(&views, &buffers).is_none()
    };
    assert!(with(3, View::new_from_bytes(b"inline", 0, 0)));
    let outside = View { length: 40, prefix: 0, buffer_idx: 0, offset: 8_000 };
    let nowhere = View { buffer_idx: 40, ..outside };
    for view in [outside, nowhere] {
        assert!(with(100, view), "{view:?}");
        assert!(with(all.len() - 1, view), "{view:?}");
    }
    let third: Vec<View> = all.iter().copied().step_by(3).collect();
    assert!(in_place(&third, &buffers).is_none(), "filtered");
    let short: Vec<View> =
        (0..40).flat_map(|buffer| every(&buffers[..], buffer, 40)[..50].to_vec()).collect();
    assert!(in_place(&short, &buffers).is_none(), "pieces of 2,000 bytes");
    assert!(in_place(&all[..100], &buffers).is_none(), "too little to bother");
    assert!(in_place(&[View::default(); 100], &buffers).is_none_or(|bytes| bytes.is_empty()));
}
