import Base
import WireProtocol

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    exerciseRequest(Bytes(UnsafeRawBufferPointer(start: start, count: count)))
    return 0
}
