// Trigonometry of degrees, exact where the mathematical value is: sind(30) is 0.5.

import Glibc

/// Angles are first brought into 0…90, where 0, 30, 45, 60 and 90 have known values; between them the
/// functions of the library are scaled so that they meet these.
enum DegreeMath {
    static let arcTangentOfOne = atan(1.0)
    private static let sineOf30 = sin(30 * Double.pi / 180)
    private static let oneMinusCosineOf60 = 1 - cos(60 * Double.pi / 180)
    private static let arcSineOfHalf = asin(0.5)
    private static let arcCosineOfHalf = acos(0.5)
    private static let tangentOf45 = sineFirstQuadrant(45) / cosineFirstQuadrant(45)
    private static let cotangentOf45 = cosineFirstQuadrant(45) / sineFirstQuadrant(45)

    /// 0…30
    private static func sineTo30(_ x: Double) -> Double { sin(x * Double.pi / 180) / sineOf30 / 2 }

    /// 0…60
    private static func cosineTo60(_ x: Double) -> Double {
        1 - (1 - cos(x * Double.pi / 180)) / oneMinusCosineOf60 / 2
    }

    private static func sineFirstQuadrant(_ x: Double) -> Double {
        x <= 30 ? sineTo30(x) : cosineTo60(90 - x)
    }

    private static func cosineFirstQuadrant(_ x: Double) -> Double {
        x <= 60 ? cosineTo60(x) : sineTo30(90 - x)
    }

    /// The angle in 0…90 with the same value up to the sign.
    private static func reduced(_ x: Double) -> (angle: Double, sine: Double, cosine: Double) {
        var angle = fmod(x, 360)
        var (sine, cosine) = (1.0, 1.0)
        if angle < 0 {
            angle = -angle
            sine = -sine
        }
        if angle > 180 {
            angle = 360 - angle
            sine = -sine
        }
        if angle > 90 {
            angle = 180 - angle
            cosine = -cosine
        }
        return (angle, sine, cosine)
    }

    static func sine(_ x: Double) -> Double {
        if x.isNaN { return x }
        let (angle, sign, _) = reduced(x)
        return sign * sineFirstQuadrant(angle)
    }

    static func cosine(_ x: Double) -> Double {
        if x.isNaN { return x }
        let (angle, _, sign) = reduced(x)
        return sign * cosineFirstQuadrant(angle)
    }

    static func tangent(_ x: Double) -> Double {
        if x.isNaN { return x }
        let (angle, sine, cosine) = reduced(x)
        let result =
            sine * cosine
            * (sineFirstQuadrant(angle) / cosineFirstQuadrant(angle) / tangentOf45)
        // No negative zero.
        return result == 0 ? 0 : result
    }

    static func cotangent(_ x: Double) -> Double {
        if x.isNaN { return x }
        let (angle, sine, cosine) = reduced(x)
        let result =
            sine * cosine
            * (cosineFirstQuadrant(angle) / sineFirstQuadrant(angle) / cotangentOf45)
        return result == 0 ? 0 : result
    }

    /// 0…1 in degrees.
    private static func arcSineFirstQuadrant(_ x: Double) -> Double {
        x <= 0.5 ? asin(x) / arcSineOfHalf * 30 : 90 - acos(x) / arcCosineOfHalf * 60
    }

    private static func arcCosineFirstQuadrant(_ x: Double) -> Double {
        x <= 0.5 ? 90 - asin(x) / arcSineOfHalf * 30 : acos(x) / arcCosineOfHalf * 60
    }

    static func arcSine(_ x: Double) -> Double {
        x >= 0 ? arcSineFirstQuadrant(x) : -arcSineFirstQuadrant(-x)
    }

    static func arcCosine(_ x: Double) -> Double {
        x >= 0 ? arcCosineFirstQuadrant(x) : 90 + arcSineFirstQuadrant(-x)
    }

    static func arcTangent(_ x: Double) -> Double { atan(x) / arcTangentOfOne * 45 }
}
