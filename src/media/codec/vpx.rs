//! VP8 and VP9 by libvpx: a real-time encoder and a decoder that never trusts its input.
//!
//! Owns the libvpx contexts and all `unsafe` that they need; what differs between the two codecs is in [`vp8`] and
//! [`vp9`]. Must not know RTP; who lost which packet is decided elsewhere. Note that libvpx goes on decoding drifted
//! garbage after a loss: whoever feeds the decoder must stop at a gap and ask for a keyframe.

mod beats;

use std::ffi::{CStr, c_int, c_long, c_uint, c_ulong};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use bytes::Bytes;
use vpx_sys::{
    VPX_DECODER_ABI_VERSION, VPX_DL_REALTIME, VPX_EFLAG_FORCE_KF, VPX_ENCODER_ABI_VERSION,
    VPX_ERROR_RESILIENT_DEFAULT, VPX_FRAME_IS_KEY, vp8_dec_control_id, vp8e_enc_control_id as control,
    vpx_codec_ctx_t, vpx_codec_cx_pkt_kind, vpx_codec_enc_cfg_t, vpx_codec_err_t, vpx_codec_iface_t,
    vpx_enc_pass, vpx_image_t, vpx_img_fmt, vpx_kf_mode, vpx_rational, vpx_rc_mode,
};

use self::beats::Beats;
use super::{EncodedFrame, VideoCodec, vp8, vp9};
use crate::media::frame::{self, MAX_FPS, MAX_SIDE};
use crate::media::{Error, VideoFrame, WallTime};

/// Ticks a second of the media clock (RFC 7741 section 4.1, RFC 9628 section 4.1).
pub const CLOCK: u32 = 90_000;

/// The most pixels a received keyframe may have; a larger one is refused before anything is allocated for it.
pub const MAX_PIXELS: u32 = 4096 * 2304;

/// The lowest and the highest target that the encoder takes, in kbit/s.
pub const KBPS: std::ops::RangeInclusive<u32> = 5..=50_000;

/// How to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which of the two.
    pub codec: VideoCodec,
    /// Pixels a row of the pictures to come; a picture of another size restarts the encoder with a keyframe.
    pub width: u32,
    /// Rows of the pictures to come.
    pub height: u32,
    /// Frames a second that the rate control expects.
    pub fps: u32,
    /// Target in kbit/s, clamped to [`KBPS`].
    pub kbps: u32,
    /// Encoder threads; more than one only pays above 640x360.
    pub threads: u32,
    /// Speed against quality; further from 0 is faster. VP8: -16 to 16, negative means a fixed speed. VP9: 5 to 9.
    pub cpu_used: i32,
    /// Token partitions of VP8 as a power of two, 0 to 3; more than 0 only pays with threads.
    pub token_partitions: u32,
    /// Keep entropy contexts independent of lost frames: about 5 % worse, for receivers that decode over gaps.
    pub error_resilient: bool,
    /// The largest quantizer, 0 to 63: 63 keeps to the target at any price.
    pub max_quantizer: u32,
    /// Frames after which a keyframe comes unasked.
    pub keyframe_interval: u32,
    /// The pictures are of a screen: text that stands still is kept sharp, and what does not change costs nothing.
    pub screen: bool,
}

impl Settings {
    /// Settings for conversation: one thread, a speed that leaves time for the rest, keyframes only when asked for
    /// (or every two minutes).
    pub fn realtime(codec: VideoCodec, width: u32, height: u32, fps: u32, kbps: u32) -> Self {
        Self {
            codec,
            width,
            height,
            fps,
            kbps,
            threads: 1,
            cpu_used: match codec {
                VideoCodec::Vp8 => vp8::REALTIME_SPEED,
                VideoCodec::Vp9 => vp9::REALTIME_SPEED,
            },
            token_partitions: 0,
            error_resilient: false,
            max_quantizer: 63,
            keyframe_interval: 3000,
            screen: false,
        }
    }
}

/// An encoder. Never drops a frame by itself: every picture becomes one encoded frame.
pub struct Encoder {
    // Boxed because libvpx keeps no pointer to it today, but is allowed to.
    context: Box<vpx_codec_ctx_t>,
    config: vpx_codec_enc_cfg_t,
    settings: Settings,
    beats: Beats,
}

// SAFETY: the context owns everything it points to, libvpx keeps no thread-local state, and `&mut self` on every
// call keeps two threads from entering it at once.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder whose first frame will be a keyframe.
    ///
    /// # Errors
    /// [`Error::Spec`] for a size or rate that cannot be, [`Error::Encode`] when libvpx refuses the settings.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        frame::check_size(settings.width, settings.height)?;
        if !(1..=MAX_FPS).contains(&settings.fps) {
            return Err(Error::Spec(format!(
                "{} frames a second are not between 1 and {MAX_FPS}",
                settings.fps
            )));
        }
        let config = configure(&settings)?;
        let mut context = zeroed_context();
        // SAFETY: context is zeroed memory of the right size, the interface is libvpx's own static, config was
        // filled by libvpx and outlives the call, and the ABI version is the one the bindings were made for.
        let code = unsafe {
            vpx_sys::vpx_codec_enc_init_ver(
                &mut *context,
                encoder_of(settings.codec),
                &config,
                0,
                VPX_ENCODER_ABI_VERSION as c_int,
            )
        };
        // On failure libvpx has already destroyed what it built; there is nothing to release.
        check(code, &mut context).map_err(|why| encode_error(settings.codec, why))?;
        let mut encoder = Self { context, config, settings, beats: Beats::new(settings.fps) };
        encoder.control(control::VP8E_SET_MAX_INTRA_BITRATE_PCT, max_intra_percent(&settings))?;
        let controls = match settings.codec {
            VideoCodec::Vp8 => &vp8::controls(&settings)[..],
            VideoCodec::Vp9 => &vp9::controls(&settings)[..],
        };
        for &(id, value) in controls {
            encoder.control(id, value)?;
        }
        Ok(encoder)
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes the target rate from the next frame on, without a keyframe. Clamped to [`KBPS`].
    ///
    /// # Errors
    /// [`Error::Encode`] when libvpx refuses.
    pub fn set_bitrate(&mut self, kbps: u32) -> Result<(), Error> {
        let kbps = kbps.clamp(*KBPS.start(), *KBPS.end());
        if kbps == self.settings.kbps {
            return Ok(());
        }
        self.config.rc_target_bitrate = kbps;
        // SAFETY: the context is live and config is a valid configuration that outlives the call.
        let code = unsafe { vpx_sys::vpx_codec_enc_config_set(&mut *self.context, &self.config) };
        self.check(code)?;
        self.settings.kbps = kbps;
        Ok(())
    }

    /// Encodes one picture. `timestamp` is its time on the 90 kHz clock and should advance; what passed since the last one,
    /// less what was left out, is in the mean what the rate control takes as a frame's duration. A picture of a new size restarts the
    /// encoder.
    ///
    /// # Errors
    /// [`Error::Encode`] when libvpx fails; the next call may well succeed, with a keyframe.
    pub fn encode(
        &mut self,
        picture: &VideoFrame,
        timestamp: u32,
        keyframe: bool,
    ) -> Result<EncodedFrame, Error> {
        if (picture.width(), picture.height()) != (self.settings.width, self.settings.height) {
            let settings = Settings { width: picture.width(), height: picture.height(), ..self.settings };
            *self = Self::new(settings)?;
        }
        self.beats.advance(timestamp);
        let image = borrow_image(picture).map_err(|why| encode_error(self.settings.codec, why))?;
        let flags = if keyframe { c_long::from(VPX_EFLAG_FORCE_KF) } else { 0 };
        // SAFETY: the context is live; the image's planes point into `picture`, which is borrowed for the whole
        // call, with strides that match its tight planes; libvpx copies what it keeps.
        let code = unsafe {
            vpx_sys::vpx_codec_encode(
                &mut *self.context,
                &image,
                self.beats.pts,
                c_ulong::from(self.beats.length),
                flags,
                c_ulong::from(VPX_DL_REALTIME),
            )
        };
        self.check(code)?;
        let (data, keyframe) = self.packet()?;
        Ok(EncodedFrame {
            codec: self.settings.codec,
            data,
            keyframe,
            timestamp,
            captured: picture.captured,
            width: self.settings.width,
            height: self.settings.height,
        })
    }

    fn control(&mut self, id: control, value: c_int) -> Result<(), Error> {
        // SAFETY: the context is live and every control used here takes one int.
        let code = unsafe { vpx_sys::vpx_codec_control_(&mut *self.context, id as c_int, value) };
        self.check(code)
    }

    fn check(&mut self, code: vpx_codec_err_t) -> Result<(), Error> {
        check(code, &mut self.context).map_err(|why| encode_error(self.settings.codec, why))
    }

    /// A picture that would have come `interval` after the last was left out because there was no room on the path: the
    /// next one may not be larger for it.
    pub fn leave_out(&mut self, interval: Duration) {
        self.beats.leave_out(interval);
    }

    /// Pictures come `fps` a second from now on, 1 to [`MAX_FPS`].
    ///
    /// # Errors
    /// [`Error::Encode`] when libvpx refuses.
    pub fn set_fps(&mut self, fps: u32) -> Result<(), Error> {
        let fps = fps.clamp(1, MAX_FPS);
        if fps == self.settings.fps {
            return Ok(());
        }
        self.settings.fps = fps;
        self.beats.set_fps(fps);
        self.control(control::VP8E_SET_MAX_INTRA_BITRATE_PCT, max_intra_percent(&self.settings))
    }

    fn packet(&mut self) -> Result<(Bytes, bool), Error> {
        let mut iterator = ptr::null();
        loop {
            // SAFETY: the context is live and the iterator started as null for this frame.
            let packet = unsafe { vpx_sys::vpx_codec_get_cx_data(&mut *self.context, &mut iterator) };
            // SAFETY: libvpx returns null or a packet that stays valid until the next call into the context.
            let Some(packet) = (unsafe { packet.as_ref() }) else {
                return Err(encode_error(self.settings.codec, "no output for this frame".to_owned()));
            };
            if packet.kind == vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                // SAFETY: the kind says that `frame` is the field in use, and `buf` points to `sz` bytes.
                let (data, flags) = unsafe {
                    let frame = &packet.data.frame;
                    (std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz as usize), frame.flags)
                };
                return Ok((Bytes::copy_from_slice(data), flags & VPX_FRAME_IS_KEY != 0));
            }
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the context was initialised in `new` and is destroyed only here.
        unsafe { vpx_sys::vpx_codec_destroy(&mut *self.context) };
    }
}

/// A decoded picture and whether libvpx itself knows that it is damaged.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The picture, stamped with the time given to [`Decoder::decode`].
    pub frame: VideoFrame,
    /// libvpx found the picture or one it refers to damaged. Absence proves nothing.
    pub corrupted: bool,
}

/// A decoder. Bytes may come from anyone: whatever they are, the answer is a picture or an error.
pub struct Decoder {
    codec: VideoCodec,
    context: Box<vpx_codec_ctx_t>,
    started: bool,
}

// SAFETY: as for the encoder: the context owns what it points to and `&mut self` guards every call.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder that waits for a keyframe.
    ///
    /// # Errors
    /// [`Error::Decode`] when libvpx cannot start (out of memory).
    pub fn new(codec: VideoCodec, threads: u32) -> Result<Self, Error> {
        let config = vpx_sys::vpx_codec_dec_cfg_t { threads: threads.clamp(1, 8), w: 0, h: 0 };
        let mut context = zeroed_context();
        // SAFETY: as in `Encoder::new`.
        let code = unsafe {
            vpx_sys::vpx_codec_dec_init_ver(
                &mut *context,
                decoder_of(codec),
                &config,
                0,
                VPX_DECODER_ABI_VERSION as c_int,
            )
        };
        check(code, &mut context).map_err(|why| decode_error(codec, why))?;
        Ok(Self { codec, context, started: false })
    }

    /// What it decodes.
    pub fn codec(&self) -> VideoCodec {
        self.codec
    }

    /// Decodes one frame. `None` when the bytes are sound but show nothing (an altref frame).
    ///
    /// # Errors
    /// [`Error::Decode`] for anything that is not a frame of this codec, for a frame before the first keyframe and for
    /// one above [`MAX_PIXELS`] or [`MAX_SIDE`]. Ask for a keyframe and go on.
    pub fn decode(&mut self, data: &[u8], captured: WallTime) -> Result<Option<Decoded>, Error> {
        match self.codec {
            VideoCodec::Vp8 => {
                self.admit(vp8::header(data))?;
                self.feed(data, captured)
            }
            VideoCodec::Vp9 => {
                let frames = vp9::frames(data).ok_or_else(|| self.error("not a frame"))?;
                let mut shown = None;
                for frame in frames {
                    self.admit(vp9::header(frame))?;
                    shown = self.feed(&vp9::alone(frame), captured)?.or(shown);
                }
                Ok(shown)
            }
        }
    }

    /// Refuses a frame that must not reach libvpx: it would allocate whatever the header asks for.
    fn admit(&self, header: Option<Header>) -> Result<(), Error> {
        let header = header.ok_or_else(|| self.error("not a frame"))?;
        if let Header::Key { width, height } | Header::Resized { width, height } = header
            && (width == 0
                || height == 0
                || width > MAX_SIDE
                || height > MAX_SIDE
                || width * height > MAX_PIXELS)
        {
            return Err(self.error(format!("a picture of {width}x{height} is refused")));
        }
        if !self.started && !matches!(header, Header::Key { .. }) {
            return Err(self.error("no keyframe yet"));
        }
        Ok(())
    }

    /// Lets libvpx decode what was admitted.
    fn feed(&mut self, data: &[u8], captured: WallTime) -> Result<Option<Decoded>, Error> {
        let length = c_uint::try_from(data.len()).map_err(|_| self.error("too long"))?;
        // SAFETY: the context is live, and data points to `length` readable bytes for the whole call.
        let code = unsafe {
            vpx_sys::vpx_codec_decode(&mut *self.context, data.as_ptr(), length, ptr::null_mut(), 0 as c_long)
        };
        check(code, &mut self.context).map_err(|why| self.error(why))?;
        self.started = true;
        let corrupted = self.corrupted();
        let mut iterator = ptr::null();
        // SAFETY: the context is live and the iterator started as null for this frame.
        let image = unsafe { vpx_sys::vpx_codec_get_frame(&mut *self.context, &mut iterator) };
        // SAFETY: libvpx returns null or an image that stays valid until the next call into the context.
        let Some(image) = (unsafe { image.as_ref() }) else {
            return Ok(None);
        };
        if image.fmt != vpx_img_fmt::VPX_IMG_FMT_I420 {
            return Err(self.error("not an I420 picture"));
        }
        Ok(Some(Decoded { frame: copy_image(image, captured)?, corrupted }))
    }

    fn error(&self, why: impl std::fmt::Display) -> Error {
        decode_error(self.codec, why)
    }

    fn corrupted(&mut self) -> bool {
        let mut corrupted: c_int = 0;
        let id = vp8_dec_control_id::VP8D_GET_FRAME_CORRUPTED as c_int;
        // SAFETY: the context is live and this control writes one int through the pointer.
        let code =
            unsafe { vpx_sys::vpx_codec_control_(&mut *self.context, id, ptr::from_mut(&mut corrupted)) };
        code == vpx_codec_err_t::VPX_CODEC_OK && corrupted != 0
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context was initialised in `new` and is destroyed only here.
        unsafe { vpx_sys::vpx_codec_destroy(&mut *self.context) };
    }
}

/// What the first bytes of a frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A keyframe of this size.
    Key {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A frame that needs earlier ones.
    Inter,
    /// A frame that needs earlier ones and is of a size of its own (VP9 only).
    Resized {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
}

fn encoder_of(codec: VideoCodec) -> *mut vpx_codec_iface_t {
    // SAFETY: both only return the address of a static.
    unsafe {
        match codec {
            VideoCodec::Vp8 => vpx_sys::vpx_codec_vp8_cx(),
            VideoCodec::Vp9 => vpx_sys::vpx_codec_vp9_cx(),
        }
    }
}

fn decoder_of(codec: VideoCodec) -> *mut vpx_codec_iface_t {
    // SAFETY: both only return the address of a static.
    unsafe {
        match codec {
            VideoCodec::Vp8 => vpx_sys::vpx_codec_vp8_dx(),
            VideoCodec::Vp9 => vpx_sys::vpx_codec_vp9_dx(),
        }
    }
}

fn configure(settings: &Settings) -> Result<vpx_codec_enc_cfg_t, Error> {
    let mut config = MaybeUninit::uninit();
    // SAFETY: the interface is libvpx's own static and config is memory of the right size and alignment.
    let code =
        unsafe { vpx_sys::vpx_codec_enc_config_default(encoder_of(settings.codec), config.as_mut_ptr(), 0) };
    if code != vpx_codec_err_t::VPX_CODEC_OK {
        return Err(encode_error(settings.codec, "no default configuration".to_owned()));
    }
    // SAFETY: libvpx said OK, so it wrote the whole structure.
    let mut config: vpx_codec_enc_cfg_t = unsafe { config.assume_init() };
    config.g_w = settings.width;
    config.g_h = settings.height;
    config.g_timebase = vpx_rational { num: 1, den: CLOCK as c_int };
    config.g_threads = settings.threads.clamp(1, 8);
    config.g_pass = vpx_enc_pass::VPX_RC_ONE_PASS;
    config.g_lag_in_frames = 0;
    config.g_error_resilient = if settings.error_resilient { VPX_ERROR_RESILIENT_DEFAULT } else { 0 };
    config.rc_end_usage = vpx_rc_mode::VPX_CBR;
    config.rc_target_bitrate = settings.kbps.clamp(*KBPS.start(), *KBPS.end());
    config.rc_dropframe_thresh = 0;
    config.rc_resize_allowed = 0;
    config.rc_min_quantizer = 2;
    config.rc_max_quantizer = settings.max_quantizer.clamp(2, 63);
    config.rc_undershoot_pct = 100;
    config.rc_overshoot_pct = 15;
    config.rc_buf_initial_sz = BUFFER_INITIAL_MS;
    config.rc_buf_optimal_sz = BUFFER_OPTIMAL_MS;
    config.rc_buf_sz = BUFFER_MS;
    config.kf_mode = vpx_kf_mode::VPX_KF_AUTO;
    config.kf_min_dist = 0;
    config.kf_max_dist = settings.keyframe_interval.max(1);
    Ok(config)
}

// The rate control's leaky bucket: small enough that a keyframe does not stand in the way for a second.
const BUFFER_INITIAL_MS: c_uint = 500;
const BUFFER_OPTIMAL_MS: c_uint = 600;
const BUFFER_MS: c_uint = 1000;

/// A keyframe may take so long at the target, or as long as three usual frames if that is no more than the longest, or one:
/// with more the picture would stand still for it. What it lacks the next frames bring.
const KEYFRAME_MS: u32 = 150;
const LONGEST_KEYFRAME_MS: u32 = 300;

fn max_intra_percent(settings: &Settings) -> c_int {
    let percent = |ms: u32| ms * settings.fps / 10;
    percent(KEYFRAME_MS).max(300).min(percent(LONGEST_KEYFRAME_MS)).max(100) as c_int
}

fn zeroed_context() -> Box<vpx_codec_ctx_t> {
    // SAFETY: the context holds pointers, integers and an error code for all of which zero is a valid value;
    // libvpx itself clears it with memset.
    Box::new(unsafe { MaybeUninit::<vpx_codec_ctx_t>::zeroed().assume_init() })
}

/// An image header whose planes are those of `picture`; valid as long as the picture is borrowed.
fn borrow_image(picture: &VideoFrame) -> Result<vpx_image_t, String> {
    let mut image = MaybeUninit::<vpx_image_t>::zeroed();
    // SAFETY: image is memory of the right size; the data pointer is only stored. The call fills every field.
    let wrapped = unsafe {
        vpx_sys::vpx_img_wrap(
            image.as_mut_ptr(),
            vpx_img_fmt::VPX_IMG_FMT_I420,
            picture.width(),
            picture.height(),
            1,
            picture.data().as_ptr().cast_mut(),
        )
    };
    if wrapped.is_null() {
        return Err("the picture cannot be wrapped".to_owned());
    }
    // SAFETY: vpx_img_wrap succeeded, so every field is written with a valid value.
    let mut image = unsafe { image.assume_init() };
    // libvpx rounds the luma stride of odd widths up; these planes are tight.
    let chroma = picture.chroma_size().0 as c_int;
    for (plane, (bytes, stride)) in
        [(picture.y(), picture.width() as c_int), (picture.u(), chroma), (picture.v(), chroma)]
            .into_iter()
            .enumerate()
    {
        image.planes[plane] = bytes.as_ptr().cast_mut();
        image.stride[plane] = stride;
    }
    Ok(image)
}

/// Copies a picture that is known to be I420.
fn copy_image(image: &vpx_image_t, captured: WallTime) -> Result<VideoFrame, Error> {
    let (width, height) = (image.d_w, image.d_h);
    frame::check_size(width, height)?;
    let (chroma_width, chroma_height) = frame::chroma_size(width, height);
    let mut data = Vec::with_capacity(VideoFrame::bytes(width, height));
    for (plane, (columns, rows)) in
        [(width, height), (chroma_width, chroma_height), (chroma_width, chroma_height)]
            .into_iter()
            .enumerate()
    {
        let (start, stride) = (image.planes[plane].cast_const(), image.stride[plane] as isize);
        for row in 0..rows as isize {
            // SAFETY: an I420 image of libvpx has `rows` rows of at least `columns` bytes, `stride` apart, and
            // stays valid until the next call into the context, which cannot happen during this borrow.
            data.extend_from_slice(unsafe {
                std::slice::from_raw_parts(start.offset(row * stride), columns as usize)
            });
        }
    }
    VideoFrame::new(width, height, data, captured)
}

/// Turns a return code into libvpx's own words.
fn check(code: vpx_codec_err_t, context: &mut vpx_codec_ctx_t) -> Result<(), String> {
    if code == vpx_codec_err_t::VPX_CODEC_OK {
        return Ok(());
    }
    // SAFETY: both calls return null or a static or context-owned C string, read before the next call.
    let words = unsafe {
        [vpx_sys::vpx_codec_err_to_string(code), vpx_sys::vpx_codec_error_detail(context)]
            .into_iter()
            .filter(|words| !words.is_null())
            .map(|words| CStr::from_ptr(words).to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    Err(words.join(": "))
}

fn encode_error(codec: VideoCodec, why: String) -> Error {
    Error::Encode { codec: codec.name(), why }
}

fn decode_error(codec: VideoCodec, why: impl std::fmt::Display) -> Error {
    Error::decode(format!("{} frame", codec.name()), why)
}

#[cfg(test)]
mod tests;
