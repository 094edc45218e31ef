"""The adapters of product catalogues: the port `Catalogue` over OData and over resto."""

from infra.catalogues.access import CatalogueAccess, OnRequest
from infra.catalogues.odata import ODataCatalogue
from infra.catalogues.resto import RestoCatalogue

__all__ = ["CatalogueAccess", "ODataCatalogue", "OnRequest", "RestoCatalogue"]
