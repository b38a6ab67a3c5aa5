"""Code: definitions in sources, each an atom of modality `code`.

A row is one place where a definition stands; AtomId is the atom of its text, which several places
may share. QualifiedName is Python's (PEP 3155): `Class.method`, `outer.<locals>.inner`. AstHash and
SpatialSignature say what the definition does, whatever it and its locals are called
(hql/modalities/python_tree.py, kernels/tree_signature.py); equal ones are duplicates. Embedding and
SpatialKey are the atom's.
"""

from hartonomous.hql.system_schema.base import StoredTable

CODE_TABLES = (
    StoredTable(
        "CodeAtoms",
        """CREATE TABLE CodeAtoms (
            CodeAtomId BIGINT IDENTITY PRIMARY KEY,
            AtomId BIGINT NOT NULL,
            Language NVARCHAR(32) NOT NULL,
            QualifiedName NVARCHAR(MAX) NOT NULL,
            SourceUri NVARCHAR(MAX),
            StartLine INT NOT NULL,
            EndLine INT NOT NULL,
            CodeText NVARCHAR(MAX) NOT NULL,
            AstHash VARBINARY(32) NOT NULL,
            SpatialSignature GEOMETRY,
            Embedding VECTOR(256),
            SpatialKey GEOMETRY
        );
        CREATE INDEX IX_CodeAtoms_SourceUri ON CodeAtoms (SourceUri) USING HASH;
        CREATE INDEX IX_CodeAtoms_AstHash ON CodeAtoms (AstHash) USING HASH;
        CREATE INDEX IX_CodeAtoms_SpatialSignature ON CodeAtoms (SpatialSignature) USING RTREE;
        CREATE INDEX IX_CodeAtoms_SpatialKey ON CodeAtoms (SpatialKey) USING RTREE""",
        named_by=("QualifiedName", "StartLine"),
        space="wordllama",
    ),
)
