import Base
import Delta

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDelta(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    exerciseDelta(Bytes(UnsafeRawBufferPointer(start: data, count: size)))
    return 0
}
