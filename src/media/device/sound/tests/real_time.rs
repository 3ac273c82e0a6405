//! The callbacks allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cpal::{Data, I24, SampleFormat};

use crate::media::device::sound::line::{Incoming, Outgoing};

/// The system's allocator, which counts what a thread asks of it while that is forbidden there.
struct Counting;

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    if FORBIDDEN.get() {
        COUNT.set(COUNT.get() + 1);
    }
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocated or freed.
fn allocations(run: impl FnOnce()) -> usize {
    COUNT.set(0);
    FORBIDDEN.set(true);
    run();
    FORBIDDEN.set(false);
    COUNT.get()
}

#[test]
fn the_allocator_of_this_test_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 2);
    assert_eq!(allocations(|| ()), 0);
}

/// Runs both callbacks with blocks of this type, so long that the rings overflow and run dry.
fn both_callbacks<T: Copy + Default>(format: SampleFormat, channels: u16) {
    let mut block = vec![T::default(); 480 * usize::from(channels)];
    // SAFETY: the block outlives the data, which has its length and its type.
    let mut data = unsafe { Data::from_parts(block.as_mut_ptr().cast(), block.len(), format) };
    let (mut capture, _incoming) = Incoming::new(44_100, channels);
    let (mut playback, mut outgoing) = Outgoing::new(44_100, channels);
    playback.give(&mut data, 1);
    outgoing.write(&[0.5; 960], 2);
    let count = allocations(|| {
        for round in 0..200 {
            capture.take(&data, round);
            playback.give(&mut data, round);
        }
    });
    assert_eq!(count, 0, "{format} of {channels} channels");
}

#[test]
fn a_callback_allocates_and_frees_nothing_in_any_format() {
    for channels in [1, 2, 6] {
        both_callbacks::<i8>(SampleFormat::I8, channels);
        both_callbacks::<i16>(SampleFormat::I16, channels);
        both_callbacks::<I24>(SampleFormat::I24, channels);
        both_callbacks::<i32>(SampleFormat::I32, channels);
        both_callbacks::<i64>(SampleFormat::I64, channels);
        both_callbacks::<u8>(SampleFormat::U8, channels);
        both_callbacks::<u16>(SampleFormat::U16, channels);
        both_callbacks::<u32>(SampleFormat::U32, channels);
        both_callbacks::<u64>(SampleFormat::U64, channels);
        both_callbacks::<f32>(SampleFormat::F32, channels);
        both_callbacks::<f64>(SampleFormat::F64, channels);
    }
}
