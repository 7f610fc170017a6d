import Base
import Streams

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    exerciseJSON(Bytes(UnsafeRawBufferPointer(start: start, count: count)))
    return 0
}
