import Base
import Engine
import SQL

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSQL(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let text = Bytes(UnsafeRawBufferPointer(start: data, count: size))
    exerciseSQL(text)
    exerciseQueries(text)
    return 0
}
