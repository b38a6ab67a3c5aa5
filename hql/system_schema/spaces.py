"""The landmarks of spaces, and concepts. Spaces are entries of the catalog, which `Spaces` shows.

Embedding of a landmark is NULL in spaces of other than 256 dimensions. Concepts are named regions
of a space; nothing finds any yet.
"""

from hartonomous.hql.system_schema.base import StoredTable

DIMENSIONS = 256

SPACE_TABLES = (
    StoredTable(
        "SpatialLandmarks",
        f"""CREATE TABLE SpatialLandmarks (
            SpaceName NVARCHAR(128) NOT NULL,
            LandmarkId INT NOT NULL,
            CanonicalText NVARCHAR(MAX),
            Embedding VECTOR({DIMENSIONS}),
            SpatialKey GEOMETRY
        );
        CREATE INDEX IX_SpatialLandmarks_SpaceName ON SpatialLandmarks (SpaceName) USING HASH""",
    ),
    StoredTable(
        "Concepts",
        f"""CREATE TABLE Concepts (
            ConceptId BIGINT IDENTITY PRIMARY KEY,
            ConceptName NVARCHAR(256) NOT NULL,
            Description NVARCHAR(MAX),
            SpaceName NVARCHAR(128) NOT NULL,
            Centroid VECTOR({DIMENSIONS}),
            SpatialKey GEOMETRY,
            AtomCount BIGINT,
            CreatedAt DATETIMEOFFSET NOT NULL
        )""",
    ),
)
