import Base
import Coordinator

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzShareRecord(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    exerciseShareRecord(Bytes(UnsafeRawBufferPointer(start: data, count: size)))
    return 0
}
