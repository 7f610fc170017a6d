import Base
import Compression
import WireProtocol

/// The same records compressed as the topic wants them. Everything else of the batch stays; its
/// size is checked again, because it may have grown.
func recompressed(
    _ batch: Bytes, as stored: StoredCodec, settings: PartitionSettings
) throws(AppendFailure) -> Bytes {
    var header: RecordBatchHeader
    let packed: Bytes
    do throws(DecodeFailure) {
        let view = try RecordBatchView(batch)
        header = view.header
        let records = try view.recordBytes()
        do throws(CodecFailure) {
            packed = try stored.codec.compress(records, level: stored.level)
        } catch {
            throw error.decodeFailure
        }
    } catch {
        throw .corruptMessage("the batch could not be compressed again: \(error)")
    }
    let size = RecordBatchHeader.byteCount + packed.count
    if size > settings.maxMessageBytes {
        throw .messageTooLarge(bytes: size, limit: settings.maxMessageBytes)
    }
    if Int64(size) > settings.segmentBytes {
        throw .recordListTooLarge(bytes: size, limit: Int(clamping: settings.segmentBytes))
    }
    header.attributes &= ~RecordBatchHeader.Attribute.codecMask
    header.attributes |= Int16(stored.codec.rawValue)
    header.batchLength = Int32(size - RecordBatchHeader.prefixByteCount)
    header.crc = header.checksum(records: packed)
    return Bytes.joined([header.bytes, packed])
}
