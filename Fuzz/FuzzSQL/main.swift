import Base
import SQL

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSQL(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    exerciseSQL(Bytes(UnsafeRawBufferPointer(start: data, count: size)))
    return 0
}
