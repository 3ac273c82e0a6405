//! What happens in a scene: the cases with a hand on the face and those without.

/// A case of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Nothing but breathing and the camera's noise.
    Still,
    /// The head sways, by a tenth of its size.
    Sway,
    /// The head turns to both sides, by 25 degrees.
    Turn,
    /// It nods.
    Nod,
    /// It leans to the camera and back.
    Lean,
    /// It tilts to both shoulders.
    Tilt,
    /// The mouth opens and closes three times a second.
    Talk,
    /// Talking, swaying and turning a little at once.
    Lively,
    /// The lamp gets darker and brighter.
    Dim,
    /// The lamp is switched off and on.
    Switch,
    /// The light changes from warm to cold.
    Tint,
    /// A light from one side comes and goes.
    SideLight,
    /// A hand is held up beside the face and does not touch it.
    Beside,
    /// Hands move in front of the body, beneath the face.
    Below,
    /// A hand passes in front of the face within half a second.
    PassHand,
    /// Something round of the colour of skin passes beside the face.
    BallBeside,
    /// Something round of the colour of skin passes in front of the face.
    BallAcross,
    /// A hand is on the face.
    On(Hand),
}

/// How a hand is on a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// Flat on the cheek to the left of the picture.
    LeftCheek,
    /// Flat on the other one.
    RightCheek,
    /// Over the mouth.
    Mouth,
    /// The chin rests on a fist.
    Chin,
    /// Flat on the forehead.
    Forehead,
    /// A fist rubs an eye.
    Eye,
    /// A finger is at the nose.
    Nose,
    /// Flat on a cheek, while the head sways and talks.
    LivelyCheek,
    /// Over the mouth, while the lamp gets darker and brighter.
    DimMouth,
    /// A photographed hand on the cheek.
    RealCheek,
    /// A photographed hand over the mouth.
    RealMouth,
    /// A photographed hand at the chin.
    RealChin,
}

impl Case {
    /// All without a hand on the face.
    pub const FREE: [Self; 17] = [
        Self::Still,
        Self::Sway,
        Self::Turn,
        Self::Nod,
        Self::Lean,
        Self::Tilt,
        Self::Talk,
        Self::Lively,
        Self::Dim,
        Self::Switch,
        Self::Tint,
        Self::SideLight,
        Self::Beside,
        Self::Below,
        Self::PassHand,
        Self::BallBeside,
        Self::BallAcross,
    ];

    /// All with one.
    pub const COVERED: [Self; 12] = [
        Self::On(Hand::LeftCheek),
        Self::On(Hand::RightCheek),
        Self::On(Hand::Mouth),
        Self::On(Hand::Chin),
        Self::On(Hand::Forehead),
        Self::On(Hand::Eye),
        Self::On(Hand::Nose),
        Self::On(Hand::LivelyCheek),
        Self::On(Hand::DimMouth),
        Self::On(Hand::RealCheek),
        Self::On(Hand::RealMouth),
        Self::On(Hand::RealChin),
    ];

    /// Its line in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Still => "sits still",
            Self::Sway => "sways",
            Self::Turn => "turns, 25 degrees",
            Self::Nod => "nods",
            Self::Lean => "leans to the camera and back",
            Self::Tilt => "tilts the head",
            Self::Talk => "talks",
            Self::Lively => "talks, sways and turns",
            Self::Dim => "the lamp dims and brightens",
            Self::Switch => "the lamp goes off and on",
            Self::Tint => "the light turns warm and cold",
            Self::SideLight => "a light from one side",
            Self::Beside => "a hand beside the face",
            Self::Below => "hands in front of the body",
            Self::PassHand => "a hand passes in half a second",
            Self::BallBeside => "a skin-coloured ball beside the face",
            Self::BallAcross => "a skin-coloured ball across the face",
            Self::On(Hand::LeftCheek) => "hand on the left cheek",
            Self::On(Hand::RightCheek) => "hand on the right cheek",
            Self::On(Hand::Mouth) => "hand over the mouth",
            Self::On(Hand::Chin) => "chin on a fist",
            Self::On(Hand::Forehead) => "hand on the forehead",
            Self::On(Hand::Eye) => "fist at an eye",
            Self::On(Hand::Nose) => "finger at the nose",
            Self::On(Hand::LivelyCheek) => "hand on the cheek, swaying and talking",
            Self::On(Hand::DimMouth) => "hand over the mouth, lamp changing",
            Self::On(Hand::RealCheek) => "photographed hand on the cheek",
            Self::On(Hand::RealMouth) => "photographed hand over the mouth",
            Self::On(Hand::RealChin) => "photographed hand at the chin",
        }
    }
}
