// Keys and values of access rules, credentials and quotas; the layout is in MetadataRecord.swift.

import Base

extension ByteWriter {
    mutating func binding(_ binding: AclBinding) {
        int8(binding.resourceType.rawValue)
        int8(binding.patternType.rawValue)
        int8(binding.operation.rawValue)
        int8(binding.permission.rawValue)
        text(binding.resourceName)
        text(binding.principal)
        text(binding.host)
    }

    mutating func credentialKey(_ key: ScramCredentialKey) {
        int8(key.mechanism.rawValue)
        text(key.user)
    }

    mutating func credential(_ credential: ScramCredential) {
        int32(credential.iterations)
        for part in [credential.salt, credential.storedKey, credential.serverKey] {
            precondition(part.count <= Int(UInt16.max), "parts are checked before they get here")
            uint16(UInt16(part.count))
            bytes(part)
        }
    }

    mutating func quotaPart(_ part: QuotaEntity.Part) {
        switch part {
        case .absent: uint8(0)
        case .fallback: uint8(1)
        case .named(let name):
            uint8(2)
            text(name)
        }
    }
}

extension ByteReader {
    mutating func binding() throws(DecodeFailure) -> AclBinding {
        guard let type = ResourceType(rawValue: try int8()), type.rawValue > 1 else {
            throw .malformed("access rule with an unknown resource type", position: position)
        }
        guard let pattern = PatternType(rawValue: try int8()),
            pattern == .literal || pattern == .prefixed
        else { throw .malformed("access rule with an unknown pattern type", position: position) }
        guard let operation = AclOperation(rawValue: try int8()), operation.rawValue > 1 else {
            throw .malformed("access rule with an unknown operation", position: position)
        }
        guard let permission = AclPermission(rawValue: try int8()), permission.rawValue > 1
        else { throw .malformed("access rule with an unknown permission", position: position) }
        let name = try text()
        let principal = try text()
        return AclBinding(
            type, name, patternType: pattern, principal: principal, host: try text(),
            operation: operation, permission: permission)
    }

    mutating func credentialKey() throws(DecodeFailure) -> ScramCredentialKey {
        guard let mechanism = ScramMechanism(rawValue: try int8()) else {
            throw .malformed("credential of an unknown mechanism", position: position)
        }
        return ScramCredentialKey(user: try text(), mechanism: mechanism)
    }

    mutating func credential(
        of mechanism: ScramMechanism
    ) throws(DecodeFailure) -> ScramCredential {
        let iterations = try int32()
        guard iterations > 0 else {
            throw .invalid(what: "iterations", value: Int64(iterations), position: position)
        }
        let salt = try slice(Int(try uint16())).compacted()
        let storedKey = try slice(Int(try uint16())).compacted()
        let serverKey = try slice(Int(try uint16())).compacted()
        guard storedKey.count == mechanism.digestBytes, serverKey.count == mechanism.digestBytes
        else { throw .malformed("credential with keys of a wrong length", position: position) }
        return ScramCredential(
            salt: salt, iterations: iterations, storedKey: storedKey, serverKey: serverKey)
    }

    mutating func quotaEntity() throws(DecodeFailure) -> QuotaEntity {
        QuotaEntity(user: try quotaPart(), clientID: try quotaPart())
    }

    private mutating func quotaPart() throws(DecodeFailure) -> QuotaEntity.Part {
        switch try uint8() {
        case 0: return .absent
        case 1: return .fallback
        case 2: return .named(try text())
        default: throw .malformed("unknown part of a quota's entity", position: position)
        }
    }

    mutating func quotas() throws(DecodeFailure) -> OrderedMap<QuotaKind, Double> {
        var quotas: OrderedMap<QuotaKind, Double> = [:]
        for _ in 0..<(try uint8()) {
            guard let kind = QuotaKind(rawValue: try uint8()) else {
                throw .malformed("quota of an unknown kind", position: position)
            }
            let value = try float64()
            guard value.isFinite, value > 0 else {
                throw .malformed("quota that is not a positive number", position: position)
            }
            quotas[kind] = value
        }
        return quotas
    }
}
