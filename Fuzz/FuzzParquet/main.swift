import Base
import Parquet

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzParquet(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    exerciseParquet(Bytes(UnsafeRawBufferPointer(start: data, count: size)))
    return 0
}
