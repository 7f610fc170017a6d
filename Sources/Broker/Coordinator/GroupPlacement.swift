/// Which partition of `__consumer_offsets` keeps a group: the absolute value of the Java hash of
/// its name, modulo the partition count. Tools compute the same number.
package func groupPartition(of group: String, partitionCount: Int32) -> Int32 {
    precondition(partitionCount > 0, "the offsets topic has at least one partition")
    var hash: Int32 = 0
    for unit in group.utf16 { hash = hash &* 31 &+ Int32(unit) }
    // The one number without a positive counterpart counts as zero.
    return (hash == .min ? 0 : abs(hash)) % partitionCount
}
