//! Pictures as pixels: sixel, kitty graphics and iTerm2's inline images.
//!
//! Owns the way from a frame to the sequences of each protocol, and the cells that a picture covers. Must not know calls, keys,
//! nor which terminal it is: [`super::Settings`] says what to use. Driven through [`super::Painter`].
//!
//! ```text
//!   frame ─► Picture (planes at the drawn size) ─┬─► Sixel   palette, held pixels, bands
//!                                                ├─► Kitty   RGB in shared memory, or deflated in chunks
//!                                                └─► Iterm2  JPEG
//! ```

mod cover;
mod iterm2;
mod kitty;
mod picture;
mod placeholder;
mod rgb;
#[cfg(unix)]
mod shared;
mod sixel;
#[cfg(test)]
mod tests;
mod tmux;

pub use iterm2::Iterm2;
pub use kitty::Kitty;
pub use sixel::Sixel;
