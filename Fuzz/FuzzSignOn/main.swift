import Base
import Security

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSignOn(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    exerciseSignOn(Bytes(UnsafeRawBufferPointer(start: data, count: size)))
    return 0
}
