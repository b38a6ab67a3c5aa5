"""Atoms, where they come from, what could not be read, and their embeddings by other models.

The identity of an atom is (Modality, ContentHash). AtomSources has one row for each time and place
an atom was met; Atoms.SourceUri and ParentAtomId show the first. Embedding is in the space of the
default encoder, and AtomEmbeddings has those of other models of as many dimensions.
"""

from hartonomous.hql.system_schema.base import StoredTable

ATOMS = (
    StoredTable(
        "Atoms",
        """CREATE TABLE Atoms (
            AtomId BIGINT IDENTITY PRIMARY KEY,
            ContentHash VARBINARY(32) NOT NULL,
            Modality NVARCHAR(32) NOT NULL,
            Subtype NVARCHAR(64),
            CanonicalText NVARCHAR(MAX),
            Content VARBINARY(MAX),
            Metadata JSON,
            Embedding VECTOR(256),
            SpatialKey GEOMETRY,
            HilbertValue BIGINT,
            SourceUri NVARCHAR(MAX),
            ParentAtomId BIGINT,
            ConceptId BIGINT,
            CreatedAt DATETIMEOFFSET NOT NULL,
            UNIQUE (Modality, ContentHash)
        );
        CREATE INDEX IX_Atoms_SpatialKey ON Atoms (SpatialKey) USING RTREE""",
        changeable=True,
        derived=("AtomId", "ContentHash", "HilbertValue", "CreatedAt"),
        behaviour="hartonomous.hql.atoms.rows:ATOMS",
        space="wordllama",
    ),
    StoredTable(
        "AtomSources",
        """CREATE TABLE AtomSources (
            AtomId BIGINT NOT NULL,
            SourceUri NVARCHAR(MAX),
            ParentAtomId BIGINT,
            StartByte BIGINT,
            EndByte BIGINT,
            SourceHash VARBINARY(32),
            IngestedAt DATETIMEOFFSET NOT NULL
        );
        CREATE INDEX IX_AtomSources_SourceUri ON AtomSources (SourceUri) USING HASH;
        CREATE INDEX IX_AtomSources_AtomId ON AtomSources (AtomId) USING HASH""",
    ),
    StoredTable(
        "IngestErrors",
        """CREATE TABLE IngestErrors (
            SourceUri NVARCHAR(MAX) NOT NULL,
            Code NVARCHAR(32) NOT NULL,
            Message NVARCHAR(MAX) NOT NULL,
            At DATETIMEOFFSET NOT NULL
        );
        CREATE INDEX IX_IngestErrors_SourceUri ON IngestErrors (SourceUri) USING HASH""",
    ),
    StoredTable(
        "AtomEmbeddings",
        """CREATE TABLE AtomEmbeddings (
            AtomId BIGINT NOT NULL,
            ModelId INT NOT NULL,
            Embedding VECTOR(256),
            SpatialKey GEOMETRY,
            PRIMARY KEY (AtomId, ModelId)
        )""",
    ),
)
